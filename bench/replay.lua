-- SPDX-License-Identifier: Apache-2.0
-- wrk script: sends the prepared requests of $REQUESTS (each after a 4-byte little-endian length) once, in order.
local requests, at = {}, 0

function init(args)
  local file = assert(io.open(os.getenv("REQUESTS"), "rb"))
  while true do
    local head = file:read(4)
    if not head then break end
    local a, b, c, d = head:byte(1, 4)
    requests[#requests + 1] = file:read(a + b * 256 + c * 65536 + d * 16777216)
  end
  file:close()
end

function request()
  at = at + 1
  if at > #requests then at = 1 end -- a nonce comes twice then: the refusals are counted and end the bench
  return requests[at]
end

function done(summary, latency)
  io.write(string.format("RESULT %d %d %d %d %d %d %d\n", summary.requests, summary.duration,
    summary.errors.status, summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout,
    latency:percentile(50), latency:percentile(99), latency.max))
end
