-- SPDX-License-Identifier: Apache-2.0
-- One call against several limits, all or nothing; contract in redis_script.h, arithmetic as in window.c.
-- Redis runs it whole or not at all, so nothing comes between judging and counting.
local op, call_id, lease_us = ARGV[1], ARGV[2], tonumber(ARGV[3]) * 1000
local PARTS, DAY_S, ARGS = 128, 86400, 8
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])

local function whole(n) return string.format('%.0f', n) end
local function number(text) return tonumber(text or '0') or 0 end

local function read(i)
  local at = 4 + (i - 1) * ARGS
  local rule = { key = KEYS[2 * i - 1], leases = KEYS[2 * i], measure = ARGV[at], action = ARGV[at + 1],
    amount = tonumber(ARGV[at + 2]), window = tonumber(ARGV[at + 3]) * 1000, suspend = tonumber(ARGV[at + 4]) * 1000000,
    offset = tonumber(ARGV[at + 5]), released = tonumber(ARGV[at + 6]), units = tonumber(ARGV[at + 7]) }
  local f = redis.call('HMGET', rule.key, 'used', 'newest', 'oldest', 'window', 'latest', 'until', 'released', 'told')
  rule.used, rule.newest, rule.oldest, rule.had_window = number(f[1]), number(f[2]), number(f[3]), number(f[4])
  rule.latest, rule.till, rule.had_released, rule.told = number(f[5]), number(f[6]), number(f[7]), number(f[8])
  rule.daily = rule.measure ~= 'rate' and rule.measure ~= 'concurrency'
  return rule
end

local function drop_parts(rule)
  local parts = {}
  for p = rule.oldest, rule.newest do parts[#parts + 1] = 'p' .. whole(p % PARTS) end
  if #parts > 0 then redis.call('HDEL', rule.key, unpack(parts)) end
end

-- Another window, or a server clock that had been far ahead: all counts as of now.
local function restart_window(rule, part)
  drop_parts(rule)
  rule.newest, rule.oldest = part, part
  if rule.used > 0 then redis.call('HSET', rule.key, 'p' .. whole(part % PARTS), whole(rule.used)) end
end

local function advance_parts(rule, part)
  local leaving = {}
  for p = rule.oldest, math.min(rule.newest, part - PARTS) do leaving[#leaving + 1] = 'p' .. whole(p % PARTS) end
  if #leaving > 0 then
    for _, calls in ipairs(redis.call('HMGET', rule.key, unpack(leaving))) do rule.used = rule.used - (tonumber(calls) or 0) end
    redis.call('HDEL', rule.key, unpack(leaving))
  end
  rule.oldest = rule.used == 0 and part or math.max(rule.oldest, part - PARTS + 1)
  rule.newest = part
end

-- So that the reset time is that of a part with calls.
local function skip_empty(rule)
  while rule.oldest < rule.newest and redis.call('HEXISTS', rule.key, 'p' .. whole(rule.oldest % PARTS)) == 0 do
    rule.oldest = rule.oldest + 1
  end
end

local function advance(rule)
  local ahead = rule.latest > now + 2 * rule.window
  rule.now = (rule.measure == 'rate' and not ahead) and math.max(now, rule.latest) or now
  if rule.measure == 'rate' then
    rule.part_us = math.ceil(rule.window / (PARTS - 1))
    local part = math.floor(rule.now / rule.part_us)
    if rule.had_window ~= rule.window or ahead then
      restart_window(rule, part)
    elseif part > rule.newest then
      advance_parts(rule, part)
      skip_empty(rule)
    end
  elseif rule.measure == 'concurrency' then
    redis.call('ZREMRANGEBYSCORE', rule.leases, '-inf', whole(now))
    rule.used = redis.call('ZCARD', rule.leases)
  else
    rule.day = math.floor((now / 1000000 + rule.offset) / DAY_S)
    if rule.day > rule.newest then rule.used = 0 end
    if rule.day > rule.newest or rule.newest - rule.day > 1 then rule.newest = rule.day end
  end
  if rule.till ~= 0 and rule.released > rule.had_released then -- by hand: see limit.h
    rule.till, rule.told = 0, 0
    if rule.measure ~= 'concurrency' then
      if rule.measure == 'rate' then drop_parts(rule) end
      rule.used, rule.oldest = 0, rule.newest
    end
  end
end

local function seconds_up(us) return math.ceil(us / 1000000) end

local function reset_s(rule)
  if rule.measure == 'rate' then return seconds_up((rule.oldest + PARTS) * rule.part_us - rule.now) end
  if rule.measure == 'concurrency' then return 1 end
  return math.ceil((rule.newest + 1) * DAY_S - rule.offset - now / 1000000)
end

-- True: refuses.
local function judge(rule)
  local more = (rule.measure == 'day_rows' or rule.measure == 'day_bytes') and 0 or 1
  local left = math.max(rule.amount - rule.used, 0)
  local fits = left > 0
  if rule.measure == 'day_amount' then more, fits = rule.units, left >= rule.units end
  rule.shown, rule.left = rule.used, left
  if rule.action == 'suspend' and rule.till > rule.now then
    rule.outcome, rule.left, rule.reset = 2, 0, seconds_up(rule.till - rule.now)
    return true
  end
  rule.reset, rule.outcome = reset_s(rule), fits and 0 or 1
  if not fits and rule.action ~= 'alert' then return true end
  rule.shown = rule.used + more
  rule.left = fits and left - more or 0
  return false
end

local function note_over(rule)
  local mark = rule.daily and rule.newest + 1 or rule.now
  local apart = rule.daily and 1 or (rule.window ~= 0 and rule.window or 60000000)
  if rule.told == 0 or mark - rule.told >= apart then rule.first, rule.told = 1, mark end
  if rule.action == 'suspend' then
    rule.had_released, rule.till = rule.released, rule.now + rule.suspend
    rule.outcome, rule.reset = 2, seconds_up(rule.suspend)
  end
end

local function count(rule)
  if rule.measure == 'rate' then
    redis.call('HINCRBY', rule.key, 'p' .. whole(rule.newest % PARTS), 1)
    rule.used = rule.used + 1
  elseif rule.measure == 'concurrency' then
    redis.call('ZADD', rule.leases, whole(now + lease_us), call_id)
    redis.call('PEXPIRE', rule.leases, whole(lease_us / 1000 + 1000))
  elseif rule.measure == 'day_calls' then
    rule.used = rule.used + 1
  elseif rule.measure == 'day_amount' then
    rule.used = rule.used + rule.units
  end
end

local function write(rule)
  redis.call('HSET', rule.key, 'used', whole(rule.used), 'newest', whole(rule.newest), 'oldest', whole(rule.oldest),
    'window', whole(rule.window), 'latest', whole(rule.now), 'until', whole(rule.till),
    'released', whole(rule.had_released), 'told', whole(rule.told))
  local keep_us = rule.daily and 2 * DAY_S * 1000000 or math.max(2 * rule.window, 120000000)
  redis.call('PEXPIRE', rule.key, whole(math.max(keep_us, rule.till - now + 1000000) / 1000))
end

if op == 'release' then
  for i = 1, #KEYS / 2 do redis.call('ZREM', KEYS[2 * i], call_id) end
  return {}
end
if op == 'charge' then
  local rule = read(1)
  advance(rule)
  rule.used = rule.used + tonumber(ARGV[4 + ARGS])
  write(rule)
  return {}
end

local rules, refused = {}, 0
for i = 1, #KEYS / 2 do
  rules[i] = read(i)
  advance(rules[i])
  if judge(rules[i]) and refused == 0 then refused = i end
end
local reply = { refused }
for _, rule in ipairs(rules) do
  if rule.outcome == 1 and not (rule.action == 'alert' and refused ~= 0) then note_over(rule) end
  if refused == 0 then count(rule) end
  write(rule)
  for _, value in ipairs({ rule.outcome, rule.first or 0, rule.shown, rule.left, rule.reset }) do reply[#reply + 1] = value end
end
return reply
