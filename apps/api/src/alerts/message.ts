/** This file owns what a receiver of alerts is sent, in the shape of Standard Webhooks: type, timestamp, data. */
import type { Alert } from '@sluice/system';
import { sentenceOf } from './rules.ts';
import type { Message } from './step.ts';

export interface AlertMessage {
  type: 'alert.firing' | 'alert.resolved' | 'alert.test';
  timestamp: string;
  data: {
    alert: string;
    rule: Alert['rule'];
    /** A queue or a connection to Redis. */
    subject: string;
    value: number;
    threshold: number;
    since: string;
    /** It was told before and goes on. */
    is_reminder: boolean;
    message: string;
  };
}

export function messageBody(
  alert: Alert,
  message: Message | 'test',
  facts: { subject: string; value: number; sinceMs: number; nowMs: number },
): AlertMessage {
  const { subject, value, sinceMs, nowMs } = facts;
  const { name, rule, threshold } = alert;
  return {
    type: TYPES[message],
    timestamp: new Date(nowMs).toISOString(),
    data: {
      alert: name,
      rule,
      subject,
      value,
      threshold,
      since: new Date(sinceMs).toISOString(),
      is_reminder: message === 'reminder',
      message: textOf(alert, message, subject, value),
    },
  };
}

const TYPES = {
  firing: 'alert.firing',
  reminder: 'alert.firing',
  resolved: 'alert.resolved',
  test: 'alert.test',
} as const satisfies Record<Message | 'test', AlertMessage['type']>;

function textOf(alert: Alert, message: Message | 'test', subject: string, value: number): string {
  switch (message) {
    case 'test':
      return `A test of alert ${alert.name}: nothing is wrong.`;
    case 'resolved':
      return `Alert ${alert.name} is over for ${subject}.`;
    case 'firing':
    case 'reminder':
      return sentenceOf(alert, subject, value);
  }
}
