import type { Heard } from '../write-apis.js';
import type { History } from './history.js';

/** Every request is in the log once, every event has an id of its own, and whoever got an answer got the right one. */
export function checkRequests(history: History, heard: readonly Heard[]): readonly string[] {
  const amiss: string[] = [];
  const ids = new Set<string>();
  const recorded = new Map<string, Set<string>>();
  const last = new Map<string, { readonly revision: number; readonly position: number }>();
  for (const { id, request, stream, type, revision, position } of history.events) {
    if (ids.has(id)) amiss.push(`${stream}@${revision}: there is another event ${id}`);
    ids.add(id);
    if (request === undefined) continue;
    const events = recorded.get(request.id) ?? new Set();
    recorded.set(request.id, events);
    const event = `${stream} ${type}`;
    if (events.has(event)) amiss.push(`${stream}@${revision}: request ${request.id} was recorded before`);
    events.add(event);
    last.set(`${request.id} ${stream}`, { revision, position });
  }
  const answers = new Map<string, string>();
  const positions = new Map(
    history.events.map(({ stream, revision, position }) => [`${stream}@${revision}`, position]),
  );
  for (const { requestId, stream, revision, position, body, head } of heard) {
    if (positions.get(`${stream}@${revision}`) !== position) {
      amiss.push(`${stream}@${revision}: an answer says that it stands at ${position}`);
    }
    const event = last.get(`${requestId} ${stream}`);
    if (event === undefined || event.position > head) continue;
    const before = answers.get(requestId) ?? body;
    answers.set(requestId, before);
    if (revision !== event.revision) amiss.push(`${stream}: request ${requestId} is answered with ${revision}`);
    if (body !== before) amiss.push(`${stream}: request ${requestId} is answered with ${body} and with ${before}`);
  }
  return amiss;
}
