/** Events of `request-<request id>`: where a command went whose caller chose the aggregate's id. */
export interface RequestEvent {
  readonly type: 'RequestDirected';
  readonly data: { readonly stream: string };
}
