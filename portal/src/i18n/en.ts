// SPDX-License-Identifier: Apache-2.0
import type zh from './zh';

const en: typeof zh = {
  frame: { skip: 'Skip to content', areas: 'Areas', pages: 'Pages', signOut: 'Sign out', signIn: 'Sign in', start: 'Back to the start' },
  area: { portal: 'Service portal', developer: 'Developer centre', manage: 'Management' },
  page: {
    search: 'Data resources', entry: 'Resource', overview: 'Global data view', business: 'Services: business view', development: 'Services: developer view', publicApis: 'Public APIs', configure: 'Set up an API', categories: 'Categories', api: 'API', records: 'Granted records',
    apps: 'My applications', app: 'Application', subscriptions: 'My subscriptions', changes: 'Major changes', notices: 'Notices', publish: 'Publish a service', centre: 'Management centre', service: 'Service', providers: 'Software providers', tasks: 'Scheduled tasks', password: 'Password', secondFactor: 'Second factor', nowhere: 'There is no such page',
  },
  state: {
    draft: 'draft', review: 'in review', published: 'published', deprecated: 'ending', withdrawn: 'withdrawn', active: 'active', applied: 'to be reviewed', suspended: 'suspended', rejected: 'rejected', closed: 'left', admitted: 'admitted', testing: 'in test',
    returned: 'returned', revoked: 'revoked', expired: 'expired', approved: 'approved', cancelled: 'cancelled', registered: 'registered', submitted: 'to be approved', listed: 'listed', filed: 'to be decided', decided: 'decided', unread: 'unread', read: 'read',
    unconditional: 'unconditional', conditional: 'conditional', development: 'in development', test: 'in test', stopped: 'stopped', baffled: 'shielded', offline: 'offline', archived: 'archived', in_review: 'in review', refused: 'refused', ready: 'ready', retired: 'retired', open: 'open', undecided: 'undecided', running: 'running', paused: 'paused', done: 'done', removed: 'removed',
  },
  notAllowed: { title: 'You may not see this page', next: 'If you need it, ask an administrator for:' },
  problem: {
    unreachable: 'The platform does not answer', where: 'Where:',
    next: {
      unreachable: 'Check the network and try again.', server: 'Try again later; if it stays, tell the operators the number below.', other: 'Correct what is said above and try again.', 'not-signed-in': 'The session is over: sign in again.', 'not-permitted': 'Ask an administrator for this function.',
      'revision-stale': 'Somebody has just changed it: reload the page and try again.', 'state-conflict': 'Its state has changed: reload the page and see what can be done now.', 'already-exists': 'Choose another name or path.', 'subscription-missing': 'Apply for a subscription of this API for the app first, and wait for its approval.',
      'grant-missing': 'This API is opened by the owners of the data: choose a grant.', 'credential-unknown': 'A fresh credential is known to the gateways after about a second: try again.', 'scheme-too-weak': 'This API asks for a signature by key or certificate and cannot be tried with a secret; use sluice call.',
      'security-review-missing': 'Before publication a data-security review has to pass: ask for one.', 'second-factor-required': 'Enrol an authenticator first, then sign in again.',
    },
  },
  secondFactor: { due: 'Here one signs in with two factors: enrol an authenticator first.', begin: 'Enrol an authenticator', again: 'Sign in again', add: 'Add this key to your authenticator. It is shown once.', open: 'Open it in an authenticator on this device', code: 'The code it shows', confirm: 'Confirm, then sign in again' },
  password: { due: 'This is a one-time password: choose one of your own first.', rules: 'At least 12 characters, of three kinds: lower case, upper case, digits, others.', old: 'Present password', new: 'New password', again: 'New password once more', differ: 'The two differ', change: 'Change password' },
  field: {
    category: 'Category', theme: 'Theme', department: 'Source department', application: 'Application', tag: 'Tag', volume: 'Volume (rows)', update_frequency: 'Update frequency', last_update: 'Last update', published_at: 'Published', opening: 'Opening', summary: 'Summary',
    tags: 'Tags', keywords: 'Keywords', name: 'Name', title: 'Title', type: 'Type', length: 'Length', format: 'Format', description: 'Description', identifier: 'Identifier', version: 'Version', volatility: 'Volatility', conditions: 'Access conditions', level: 'Level', mask: 'Mask',
    state: 'State', path: 'Path', action: 'Action', purpose: 'Purpose', audience: 'For whom', usage: 'How to use it', domain: 'Business domain', app: 'App', api: 'API', fields: 'Fields', comment: 'Comment', contact: 'Contact', uscc: 'Unified social credit code', storage: 'Storage',
    sunset_at: 'Ends at', reason: 'Reason', created_at: 'Created', expires_at: 'Expires', organisation: 'Organisation', kind: 'Kind', environment: 'Environment', algorithm: 'Algorithm', label: 'Label',
  },
  frequency: { 'real-time': 'real time', hourly: 'hourly', daily: 'daily', weekly: 'weekly', monthly: 'monthly', quarterly: 'quarterly', yearly: 'yearly', static: 'never', irregular: 'irregular' },
  volatility: { none: 'none', low: 'low', medium: 'medium', high: 'high' },
  scheme: { category: 'By category', theme: 'By theme', application: 'By application', subject: 'By subject' },
  search: { lead: 'Find the data that the platform opens. Descriptions and fields can be read without any grant.', words: 'Words, such as "orders"', find: 'Search', clear: 'Clear', narrow: 'Narrow down', total: '{n} resources', more: 'very many; the newest are listed', none: 'Nothing fits', unnamed: 'not stated', export: 'Export the catalogue (DCAT)' },
  entry: {
    about: 'About the resource', fields: 'Data fields', preview: 'Data preview', previewLead: 'Ten rows from the source: sensitive values masked by their rules, the highest level not shown.', previewNot: 'The preview is for the resource\'s own organisation and the platform\'s staff.', services: 'Services over this resource', noServices: 'No service opens this resource yet.',
    apply: 'Apply for use', try: 'Describe and try', records: 'Granted records', place: 'Where it lies', load: 'Read the preview',
  },
  overview: { lead: 'All resources with sources, themes, volumes, services and links on one page.', resources: 'Resources', volume: 'Rows in all', services: 'Open services', departments: 'Source departments', themes: 'Themes', sources: 'Sources', coverage: 'Coverage of the catalogue', listed: 'listed', tables: 'Tables', owner: 'Owner', opened: 'open', none: 'not stated' },
  level: { 1: 'L1 public', 2: 'L2 on authorisation', 3: 'L3 masked' },
  environment: { general: 'general', monitored: 'monitored', controlled: 'controlled' },
  action: {
    approve: 'Approve', reject: 'Reject', suspend: 'Suspend', resume: 'Resume', close: 'Let go', submit: 'Submit', return: 'Return', withdraw: 'Withdraw', publish: 'Publish', stop: 'Stop', start: 'Start', deprecate: 'Announce end', offline: 'Take offline', cancel: 'Cancel', 'report-loss': 'Report loss', revoke: 'Revoke', retire: 'Retire', restore: 'Restore',
    run: 'Run now', pause: 'Pause', remove: 'Remove',
    confirm: 'Do it', leave: 'Leave', grave: 'It takes effect at once: calls that depend on it are refused or stop.',
  },
  records: { lead: 'Data as the app was granted them: granted rows and fields alone, sensitive values masked; each look is decided and recorded as every call of the app.', field: 'Field', value: 'equals', none: 'There is nothing to see', open: 'Details', before: 'Back', after: 'Next', one: 'One record', masked: 'masked' },
  try: { title: 'Try it', lead: 'A call as your app: the platform signs it with the app\'s own secret and sends it through a gateway, so no secret comes to the browser; it is decided, counted and recorded.', app: 'App', noApp: 'no admitted app', grant: 'Grant', noGrant: 'none', target: 'What follows the path', send: 'Send' },
  api: {
    call: 'How to call it', methods: 'Methods', class: 'Class', classA1: 'information', classA2: 'money and accounts', access: 'Who may', by: { subscription: 'after an approved subscription', registered: 'any admitted app' }, level: 'Level you see', parameter: 'Parameter', in: 'In', fields: 'Fields of the answer', example: 'Example of the answer',
  },
  public: { lead: 'Interfaces for outside partners. Any admitted party may apply for them.', none: 'No external API is open at present', other: 'Other', signIn: 'Sign in to apply' },
  services: {
    business: 'Find a service by business domain, choose it and apply.', development: 'Versions, paths and data of each service; a new one is developed from a resource of the open zone and placed in the catalogue.', allDomains: 'All business domains', words: 'Name or purpose', none: 'No service fits', noDomain: 'no domain', hours: 'Support hours', response: 'answers within {ms} ms', availability: '{n} % available',
    choose: 'Choose', open: 'Open', datasets: 'Datasets', fromResource: 'Develop a service from an open resource', develop: 'Develop',
  },
  publish: {
    lead: 'A dataset, or a table of a source, becomes a documented service in one step. Check first: all that is missing is told at once, and nothing is half made.', made: 'Published', missing: 'Still missing', ready: 'Nothing is missing: it can be published', from: 'From', dataset: 'Dataset', table: 'Table of a source', source: 'Source', title: 'Title', unclassified: 'unclassified', response: 'Answers within (ms)', availability: 'Availability (‰)',
    check: 'Check', go: 'Publish', legal: 'Legal basis', review: 'Ask for a security review', asked: 'Review asked for',
  },
  apps: {
    lead: 'Your organisation\'s applications: admission, credentials, subscriptions.', add: 'Apply for an app', apply: 'Apply', none: 'There is no app yet', admission: 'Admission', noConditions: 'The platform asks for nothing more at present.', holds: 'done', lacks: 'missing', number: 'Number', credentials: 'Credentials', newCredential: 'New credential', noCredentials: 'There is no credential yet', make: 'Make it',
    secretOnce: 'The secret is shown this once: keep it in a safe place now.', keyKept: 'The public key is registered.', keyId: 'Key id', kept: 'Kept', publicKey: 'Public key (PEM)',
  },
  conditionNext: { application: 'submit an application for this app', agreement: 'offer one and have both sides sign it', assessment: 'the platform assesses your organisation', certificates: 'file the certificates that are asked for', filing: 'have the platform filed', preparation: 'complete the preparation' },
  missing: { level: 'Unclassified fields:', mask: 'Fields without a mask:', entry: 'The entry is not whole:', domain: 'No business domain:', interface: 'Not the interface of its domain:', stages: 'Not through the test stage:', evaluation: 'No evaluation that passed:', report: 'A report is missing:', definition: 'The definition has faults:', review: 'No security review that passed:' },
  condition: { application: 'an approved application', agreement: 'an agreement in force', assessment: 'an assessment that counts', certificates: 'valid certificates', filing: 'a filing record', preparation: 'a finished preparation' },
  subscriptions: { lead: 'The APIs your apps may call. The platform reviews what you apply for and tells you the result.', apply: 'Apply for an API', level: 'Level of data needed', send: 'Apply', none: 'There is no subscription yet', rows: 'Only rows where (optional)', rows_hint: 'status=eq.open', rows_are: 'Rows', rows_all: 'all' },
  changes: {
    lead: 'A change that may bear on safety or continuity, such as expected volume or integration, is told with a change plan, an emergency plan and your own look at the risk, and how users were told. The reviewers get it as a task.', new: 'Report a major change', change: 'Kind', kind: { volume: 'expected volume', integration: 'integration', organisation: 'organisation', other: 'other' },
    description: 'What changes', change_plan: 'Change plan', emergency_plan: 'Emergency plan', party_risk: 'Risk assessment', user_notice: 'How and when users were told (text or link)', file: 'Report', told: 'Told at', measure: 'Measure', does: { continue: 'goes on', limit: 'limited', suspend: 'suspended' }, none: 'There is no major change',
  },
  notices: { lead: 'Changes and ends of APIs, results of reviews and whatever else concerns you.', read: 'Mark as read', keep: 'Mark as unread', none: 'There is no notice' },
  providers: { lead: 'The providers of third-party software. Once one is suspended or let go, the next call of its apps is refused.', add: 'Enter a provider', enter: 'Enter', all: 'Any state', apps: 'Apps' },
  centre: { lead: 'All open data services of all providers: registered, published, tied together, set up and permitted here, each act on record.', register: 'Register a service', services: 'Services', apis: 'Interfaces', configure: 'Set up', entry: 'The service in its users\' words, its domain, and the datasets and services it is tied to.', rests: 'What rests on it', warn: '{apps} apps, {apis} composed APIs and {services} services rest on it: tell them before it changes.', technical: 'Technical description', datasets: 'Datasets', related: 'Related services', save: 'Save', saved: 'Saved' },
  configure: { parameters: 'Parameters', timeout_ms: 'Timeout (ms)', cache_ms: 'Cache (ms)', max_body_bytes: 'Body at most (bytes)', limits: 'Limits', noLimits: 'There is no limit', measure: 'Measure', amount: 'Amount', action: 'Beyond it', add: 'Add a limit', remove: 'Remove', permissions: 'Permissions' },
  categories: { lead: 'The categories, themes and applications of the directory, and other levels of your own. What is retired is no longer offered.', scheme: 'New level', add: 'Add', below: 'Add below', rename: 'Rename', english: 'English name', level: 'Level (small letters, such as subject)', none: 'There is none yet' },
  tasks: {
    lead: 'What the platform does at set times. Each run keeps its result; a failure is told to the operators. Of several nodes one runs it.', add: 'New task', make: 'Make it', look: 'Look again', task: 'Task', about: { apis: 'API', harvests: 'Harvest', collections: 'Collection' }, parameters: 'Parameters (JSON)', first: 'First run (now when empty)', every: 'Again every (seconds; once when empty)',
    next: 'Next run', each: 'every {s} s', last: 'Last run', none: 'There is no task yet',
  },
  taskKind: { 'check-definition': 'check a definition', 'check-catalogue': 'check the catalogue', 'check-archives': 'check the archives', 'run-harvest': 'run a harvest', 'run-collection': 'run a collection', 'make-export': 'make an export', 'call-api': 'call an API' },
  taskResult: { passed: 'passed', failed: 'failed', begun: 'begun' },
  measure: { rate: 'rate (a second)', concurrency: 'concurrency', calls: 'calls a day', rows: 'rows a day', bytes: 'bytes a day', refused: 'refusals' },
  limit: { reject: 'reject', alert: 'alert', suspend: 'suspend' },
};
export default en;
