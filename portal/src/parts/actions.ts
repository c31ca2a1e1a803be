// SPDX-License-Identifier: Apache-2.0
// Which actions a row of a resource has in which state; rights are asked beside it (ActionButtons), and the server decides.
// text: the body's member that a sentence goes into; time: one that a time goes into; grave: takes something from somebody.
export interface Action { name: string; from: string[]; text?: string; needed?: boolean; time?: string; grave?: boolean }

export const providerActions: Action[] = [
  { name: 'approve', from: ['applied'] },
  { name: 'reject', from: ['applied'], grave: true },
  { name: 'suspend', from: ['active'], grave: true },
  { name: 'resume', from: ['suspended'] },
  { name: 'close', from: ['active', 'suspended'], grave: true },
];
export const serviceActions: Action[] = [
  { name: 'submit', from: ['registered', 'returned'] },
  { name: 'approve', from: ['submitted'], text: 'comment' },
  { name: 'return', from: ['submitted'], text: 'comment', needed: true },
  { name: 'suspend', from: ['listed'], text: 'comment', needed: true, grave: true },
  { name: 'resume', from: ['suspended'], text: 'comment' },
  { name: 'withdraw', from: ['registered', 'returned', 'submitted', 'listed', 'suspended'], grave: true },
];
export const apiActions: Action[] = [
  { name: 'publish', from: ['draft', 'development', 'review', 'test', 'deprecated', 'offline'] },
  { name: 'stop', from: ['published', 'deprecated'], grave: true },
  { name: 'start', from: ['stopped'] },
  { name: 'deprecate', from: ['published'], time: 'sunset_at', grave: true },
  { name: 'suspend', from: ['published', 'deprecated', 'stopped'], text: 'comment', needed: true, grave: true },
  { name: 'resume', from: ['suspended'], text: 'comment' },
  { name: 'offline', from: ['published', 'deprecated', 'baffled'], grave: true },
];
export const nodeActions: Action[] = [{ name: 'retire', from: ['active'], grave: true }, { name: 'restore', from: ['retired'] }];
export const subscriptionActions: Action[] = [{ name: 'cancel', from: ['applied', 'approved', 'suspended', 'returned'], grave: true }];
export const credentialActions: Action[] = [
  { name: 'report-loss', from: ['active'], text: 'reason', needed: true, grave: true },
  { name: 'revoke', from: ['active', 'suspended'], text: 'reason', needed: true, grave: true },
];
export const taskActions: Action[] = [
  { name: 'run', from: ['active'] },
  { name: 'pause', from: ['active', 'running'] },
  { name: 'resume', from: ['paused', 'done'] },
  { name: 'remove', from: ['active', 'running', 'paused', 'done'], grave: true },
];
