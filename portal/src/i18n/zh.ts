// SPDX-License-Identifier: Apache-2.0
export default {
  frame: { skip: '跳到正文', areas: '分区', pages: '页面', signOut: '退出', start: '回到首页' },
  area: { portal: '服务门户', developer: '开发者中心', manage: '管理门户' },
  page: {
    search: '资源目录', entry: '资源详情', overview: '全局数据视图', business: '服务目录（业务视图）', development: '服务目录（开发视图）', publicApis: '外部公开接口', api: '接口说明', records: '授权数据浏览',
    apps: '我的应用', app: '应用', subscriptions: '我的订阅', changes: '重大变更', notices: '通知', publish: '发布服务', centre: '服务管理中心', service: '服务', providers: '软件提供商', password: '修改密码', nowhere: '没有这个页面',
  },
  state: {
    draft: '草稿', review: '审核中', published: '已发布', deprecated: '即将下线', withdrawn: '已撤回', active: '有效', applied: '待审核', suspended: '已暂停', rejected: '已驳回', closed: '已退出', admitted: '已准入', testing: '测试中',
    returned: '已退回', revoked: '已吊销', expired: '已过期', approved: '已批准', cancelled: '已取消', registered: '已注册', submitted: '待审批', listed: '已上架', filed: '待处理', decided: '已决定', unread: '未读', read: '已读',
    unconditional: '无条件开放', conditional: '有条件开放', development: '开发中', test: '测试中', stopped: '已停用', baffled: '已挡板', offline: '已下线', archived: '已归档', in_review: '审核中', refused: '已拒绝', ready: '就绪', open: '开放', undecided: '未定',
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
    created_at: '创建时间', expires_at: '到期时间', organisation: '机构', kind: '类型', environment: '环境', algorithm: '算法', label: '标记',
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
};
