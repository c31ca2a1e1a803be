// SPDX-License-Identifier: Apache-2.0
export default {
  frame: { skip: '跳到正文', areas: '分区', pages: '页面', signOut: '退出', signIn: '登录', start: '回到首页' },
  area: { portal: '服务门户', developer: '开发者中心', manage: '管理门户' },
  page: {
    search: '资源目录', entry: '资源详情', overview: '全局数据视图', business: '服务目录·业务视图', development: '服务目录·开发视图', configure: '接口配置', categories: '目录分类', publicApis: '外部公开接口', api: '接口说明', records: '授权数据浏览',
    apps: '我的应用', app: '应用', subscriptions: '我的订阅', changes: '重大变更', notices: '通知', publish: '发布服务', centre: '服务管理中心', service: '服务', providers: '软件提供商', password: '修改密码', nowhere: '没有这个页面',
  },
  state: {
    draft: '草稿', review: '审核中', published: '已发布', deprecated: '即将下线', withdrawn: '已撤回', active: '有效', applied: '待审核', suspended: '已暂停', rejected: '已驳回', closed: '已退出', admitted: '已准入', testing: '测试中',
    returned: '已退回', revoked: '已吊销', expired: '已过期', approved: '已批准', cancelled: '已取消', registered: '已注册', submitted: '待审批', listed: '已上架', filed: '待处理', decided: '已决定', unread: '未读', read: '已读',
    unconditional: '无条件开放', conditional: '有条件开放', development: '开发中', test: '测试中', stopped: '已停用', baffled: '已挡板', offline: '已下线', archived: '已归档', in_review: '审核中', refused: '已拒绝', ready: '就绪', retired: '已停用', open: '开放', undecided: '未定',
  },
  notAllowed: { title: '您没有查看此页的权限', next: '如需使用，请向管理员申请以下功能权限：' },
  problem: {
    unreachable: '平台没有应答', where: '位置：',
    next: {
      unreachable: '请检查网络后重试。', server: '请稍后重试；如仍不行，请把下面的编号告诉运维人员。', other: '请按上面的说明改正后重试。', 'not-signed-in': '会话已结束，请重新登录。', 'not-permitted': '请向管理员申请该功能的权限。',
      'revision-stale': '别人刚改过它：请刷新页面后重试。', 'state-conflict': '它的状态已变：请刷新页面，再看现在能做什么。', 'already-exists': '请换一个名称或路径。', 'subscription-missing': '请先为应用申请订阅该接口，等待批准。',
      'grant-missing': '该接口按数据主体授权：请选择一份授权。', 'credential-unknown': '凭证刚创建时，网关约一秒后才知道；请稍后重试。', 'scheme-too-weak': '该接口要求密钥或证书签名，不能用密码（secret）试用；请用命令行 sluice call。',
      'security-review-missing': '发布前须通过数据安全评审：请先提交评审。', 'second-factor-required': '请先绑定动态口令，再重新登录。',
    },
  },
  password: { due: '这是一次性密码，请先设置您自己的密码。', rules: '至少 12 个字符，含大小写字母、数字、其他字符中的三类。', old: '当前密码', new: '新密码', again: '再次输入新密码', differ: '两次输入不一致', change: '修改密码' },
  field: {
    category: '分类', theme: '主题', department: '来源部门', application: '应用', tag: '标签', volume: '数据量', update_frequency: '更新频率', last_update: '最后更新时间', published_at: '发布时间', opening: '开放条件', summary: '数据简介',
    tags: '标签', keywords: '关键词', name: '名称', title: '中文名', type: '类型', length: '长度', format: '格式', description: '说明', identifier: '标识符', version: '版本', volatility: '易变性', conditions: '使用条件', level: '级别', mask: '脱敏规则',
    state: '状态', path: '路径', action: '操作', purpose: '用途', audience: '服务对象', usage: '使用方法', domain: '业务领域', app: '应用', api: '接口', fields: '字段', comment: '意见', contact: '联系方式', uscc: '统一社会信用代码', storage: '存储',
    sunset_at: '下线时间', reason: '原因', created_at: '创建时间', expires_at: '到期时间', organisation: '机构', kind: '类型', environment: '环境', algorithm: '算法', label: '标记',
  },
  frequency: { 'real-time': '实时', hourly: '每小时', daily: '每日', weekly: '每周', monthly: '每月', quarterly: '每季', yearly: '每年', static: '不更新', irregular: '不定期' },
  volatility: { none: '不变', low: '低', medium: '中', high: '高' },
  scheme: { category: '按分类', theme: '按主题', application: '按应用', subject: '按学科' },
  search: { lead: '查找平台开放的数据资源。没有任何授权也可以查看资源的说明和字段。', words: '关键词，如“进口”“订单”', find: '搜索', clear: '清除条件', narrow: '缩小范围', total: '共 {n} 个资源', more: '结果很多，仅列出最新的', none: '没有找到符合条件的资源', unnamed: '未填写', export: '导出目录（DCAT）' },
  entry: {
    about: '资源说明', fields: '数据字段', preview: '数据预览', previewLead: '来自数据源的十行：敏感值已按规则脱敏，最高级别不显示。', previewNot: '数据预览仅限资源所属单位和平台工作人员。', services: '基于该资源的服务', noServices: '该资源还没有开放的服务。',
    apply: '申请使用', try: '说明与试用', records: '浏览授权数据', place: '数据位置', load: '读取预览',
  },
  overview: { lead: '全部资源及其来源、主题、数据量、服务与链接，在一页上。', resources: '资源', volume: '数据总量', services: '开放服务', departments: '来源部门', themes: '主题', sources: '数据源', coverage: '目录覆盖率', listed: '已编目', tables: '表', owner: '所属单位', opened: '开放', none: '未填写' },
  level: { 1: 'L1 公开', 2: 'L2 授权可见', 3: 'L3 脱敏后可见' },
  environment: { general: '一般环境', monitored: '受监测环境', controlled: '受控环境' },
  action: {
    approve: '批准', reject: '驳回', suspend: '暂停', resume: '恢复', close: '退出', submit: '提交审批', return: '退回', withdraw: '撤回', publish: '发布', stop: '停用', start: '启用', deprecate: '预告下线', offline: '下线', cancel: '取消', 'report-loss': '挂失', revoke: '吊销', retire: '停用', restore: '恢复',
    confirm: '确定', leave: '取消', grave: '立即生效：相关调用随即被拒绝或停止。',
  },
  records: { lead: '按应用获得的授权浏览数据：只有授权的行和字段，敏感值已脱敏；每次查看都和应用的其他调用一样被判定和记录。', field: '字段', value: '等于', none: '没有可见的记录', open: '详情', before: '上一页', after: '下一页', one: '记录详情', masked: '已脱敏' },
  try: { title: '试用', lead: '以您的应用的名义调用：平台用应用自己的密码（secret）签名并经网关发出，密码不会进入浏览器；调用被判定、计量和记录。', app: '应用', noApp: '没有已准入的应用', grant: '授权', noGrant: '不指定', target: '路径之后的部分', send: '发送' },
  api: {
    call: '如何调用', methods: '方法', class: '安全级别', classA1: '信息服务类', classA2: '资金与账户类', access: '使用方式', by: { subscription: '申请订阅并获批准后', registered: '任何已准入的应用' }, level: '您可见的级别', parameter: '参数', in: '位置', fields: '返回字段', example: '返回示例',
  },
  public: { lead: '面向外部合作方的接口。任何通过准入的机构都可以申请使用。', none: '目前没有公开的外部接口', other: '其他', signIn: '登录后申请' },
  services: {
    business: '按业务领域查找需要的服务，选用后提交申请。', development: '各服务的版本、路径与数据资源；可以从开放区的资源开发新的服务并放入目录。', allDomains: '全部业务领域', words: '服务名称或用途', none: '没有符合条件的服务', noDomain: '未归类', hours: '服务时间', response: '{ms} 毫秒内应答', availability: '可用率 {n}%',
    choose: '选用', open: '打开', datasets: '数据集', fromResource: '由开放区资源开发服务', develop: '开发为服务',
  },
  publish: {
    lead: '把数据集或数据源中的表一步发布为有说明的服务接口。先检查，所缺的内容会一次列出，什么也不会做一半。', made: '已发布', missing: '还缺少', ready: '检查通过，可以发布', from: '来自', dataset: '数据集', table: '数据源中的表', source: '数据源', title: '标题', unclassified: '未分级', response: '应答时间承诺（毫秒）', availability: '可用率承诺（‰）',
    check: '检查', go: '发布', legal: '法律依据', review: '提交数据安全评审', asked: '已提交评审',
  },
  apps: {
    lead: '您的机构的应用：是否准入、凭证、订阅。', add: '申请应用', apply: '提交申请', none: '还没有应用', admission: '准入情况', noConditions: '平台目前不要求其他准入条件。', holds: '已满足', lacks: '未满足', number: '申请编号', credentials: '凭证', newCredential: '新建凭证', noCredentials: '还没有凭证', make: '创建',
    secretOnce: '密码只显示这一次，请立即保存到安全的地方。', keyKept: '公钥已登记。', keyId: '凭证标识', kept: '已保存', publicKey: '公钥（PEM）',
  },
  conditionNext: { application: '为该应用提交申请', agreement: '提出协议并由双方签署', assessment: '由平台评估您的机构', certificates: '登记要求的资质证书', filing: '办理备案', preparation: '完成上线准备' },
  missing: { level: '字段还未分级：', mask: '字段缺少脱敏规则：', entry: '目录条目缺少内容：', domain: '还没有业务领域：', interface: '不符合领域规定的接口：', stages: '还未通过测试阶段：', evaluation: '还没有通过评估：', report: '还缺少测试报告：', definition: '接口定义有问题：', review: '还没有通过数据安全评审：' },
  condition: { application: '已批准的申请', agreement: '生效的协议', assessment: '有效的评估', certificates: '有效的资质证书', filing: '备案', preparation: '上线准备' },
  subscriptions: { lead: '应用可以调用的接口。申请由平台审核，结果会通知您。', apply: '申请使用接口', level: '需要的数据级别', send: '提交申请', none: '还没有订阅', rows: '行过滤条件（可选，只会更少）', rows_hint: 'status=eq.open', rows_are: '行范围', rows_all: '全部' },
  changes: {
    lead: '交易量预期、集成方案等可能影响安全或业务连续性的重大变更，须附变更方案、应急预案和风险评估，并说明如何告知用户。提交后平台评审人员会收到任务。', new: '报告重大变更', change: '变更类型', kind: { volume: '交易量预期', integration: '集成方案', organisation: '机构情况', other: '其他' },
    description: '变更内容', change_plan: '变更方案', emergency_plan: '应急预案', party_risk: '风险评估', user_notice: '用户告知（方式、时间、告知文本或链接）', file: '提交', told: '告知时间', measure: '处理措施', does: { continue: '继续使用', limit: '限量', suspend: '暂停' }, none: '没有重大变更',
  },
  notices: { lead: '接口变更、终止、审核结果等与您有关的通知。', read: '标为已读', keep: '标为未读', none: '没有通知' },
  providers: { lead: '接入平台的第三方软件提供商。暂停或退出后，其应用的下一次调用即被拒绝。', add: '登记提供商', enter: '登记', all: '全部状态', apps: '应用' },
  centre: { lead: '全部提供方的数据开放服务：注册、发布、关联、配置、权限，都在这里管理并留下操作记录。', register: '注册服务', services: '服务目录', apis: '服务接口', configure: '配置', entry: '服务的说明、所属领域、关联的数据集与服务。', rests: '依赖关系', warn: '有 {apps} 个应用、{apis} 个组合接口、{services} 个服务依赖它，变更前请先通知。', technical: '技术说明', datasets: '关联的数据集', related: '关联的服务', save: '保存', saved: '已保存' },
  configure: { parameters: '运行参数', timeout_ms: '超时（毫秒）', cache_ms: '缓存（毫秒）', max_body_bytes: '请求体上限（字节）', limits: '限额', noLimits: '没有限额', measure: '计量', amount: '数量', action: '超出时', add: '添加限额', remove: '移除', permissions: '数据服务权限' },
  categories: { lead: '资源目录的分类、主题、应用层次，以及其他自定层次。停用后不再出现在目录中。', scheme: '新增层次', add: '新增', below: '新增下级', rename: '改名', english: '英文名', level: '层次（小写字母，如 subject）', none: '还没有节点' },
  measure: { rate: '速率（每秒）', concurrency: '并发', calls: '每日调用', rows: '每日行数', bytes: '每日字节', refused: '被拒绝次数' },
  limit: { reject: '拒绝', alert: '告警', suspend: '暂停' },
};
