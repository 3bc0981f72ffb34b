// Sending a dead letter again: no act, but a reason is asked and kept by the relay.
import * as api from './api.js';
import { t } from './i18n.js';
import { reload } from './navigate.js';

export async function runReplay(filingId) {
  const reason = prompt(t('f.reason'));
  if (!reason) return;
  await api.post(`/v1/filings/${api.segment(filingId)}/replay`, { reason });
  reload();
}
