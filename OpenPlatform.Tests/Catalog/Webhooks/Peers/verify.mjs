// Reads what a webhook received from a file: [{ secret, headers, body }]. Prints a line for each: the event's type and subject, or "refused".
import { readFileSync } from 'node:fs';
import { Webhook } from 'standardwebhooks';
import { HTTP } from 'cloudevents';

for (const { secret, headers, body } of JSON.parse(readFileSync(process.argv[2], 'utf8'))) {
  try {
    new Webhook(secret).verify(body, headers);
  } catch {
    console.log('refused');
    continue;
  }
  const event = HTTP.toEvent({ headers, body });
  event.validate();
  console.log(`${event.type} ${event.subject} ${event.id === headers['webhook-id']} ${JSON.stringify(event.data)}`);
}
