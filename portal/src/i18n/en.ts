// SPDX-License-Identifier: Apache-2.0
import type zh from './zh';

const en: typeof zh = {
  frame: { skip: 'Skip to content', areas: 'Areas', pages: 'Pages', signOut: 'Sign out', start: 'Back to the start' },
  area: { portal: 'Service portal', developer: 'Developer centre', manage: 'Management' },
  page: {
    search: 'Data resources', entry: 'Resource', overview: 'Global data view', business: 'Services: business view', development: 'Services: developer view', publicApis: 'Public APIs', api: 'API', records: 'Granted records',
    apps: 'My applications', app: 'Application', subscriptions: 'My subscriptions', changes: 'Major changes', notices: 'Notices', publish: 'Publish a service', centre: 'Management centre', service: 'Service', providers: 'Software providers', password: 'Password', nowhere: 'There is no such page',
  },
  state: {
    draft: 'draft', review: 'in review', published: 'published', deprecated: 'ending', withdrawn: 'withdrawn', active: 'active', applied: 'to be reviewed', suspended: 'suspended', rejected: 'rejected', closed: 'left', admitted: 'admitted', testing: 'in test',
    returned: 'returned', revoked: 'revoked', expired: 'expired', approved: 'approved', cancelled: 'cancelled', registered: 'registered', submitted: 'to be approved', listed: 'listed', filed: 'to be decided', decided: 'decided', unread: 'unread', read: 'read',
    unconditional: 'unconditional', conditional: 'conditional', development: 'in development', test: 'in test', stopped: 'stopped', baffled: 'shielded', offline: 'offline', archived: 'archived', in_review: 'in review', refused: 'refused', ready: 'ready', open: 'open', undecided: 'undecided',
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
  password: { due: 'This is a one-time password: choose one of your own first.', rules: 'At least 12 characters, of three kinds: lower case, upper case, digits, others.', old: 'Present password', new: 'New password', again: 'New password once more', differ: 'The two differ', change: 'Change password' },
  field: {
    category: 'Category', theme: 'Theme', department: 'Source department', application: 'Application', tag: 'Tag', volume: 'Volume (rows)', update_frequency: 'Update frequency', last_update: 'Last update', published_at: 'Published', opening: 'Opening', summary: 'Summary',
    tags: 'Tags', keywords: 'Keywords', name: 'Name', title: 'Title', type: 'Type', length: 'Length', format: 'Format', description: 'Description', identifier: 'Identifier', version: 'Version', volatility: 'Volatility', conditions: 'Access conditions', level: 'Level', mask: 'Mask',
    state: 'State', path: 'Path', action: 'Action', purpose: 'Purpose', audience: 'For whom', usage: 'How to use it', domain: 'Business domain', app: 'App', api: 'API', fields: 'Fields', comment: 'Comment', contact: 'Contact', uscc: 'Unified social credit code', storage: 'Storage',
    created_at: 'Created', expires_at: 'Expires', organisation: 'Organisation', kind: 'Kind', environment: 'Environment', algorithm: 'Algorithm', label: 'Label',
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
};
export default en;
