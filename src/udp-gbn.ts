// Layer 1. Go-Back-N over UDP, sound: two machines without socket, disk and clock (docs/udp-gbn.md). This is what others
// import; the parts are in gbn-*.ts, the datagrams in wire-gbn.ts.

export type { Piece } from './gbn-inbox.ts';
export { type GbnSenderOptions, PATH_PACKET_BYTES } from './gbn-offering.ts';
export { GbnReceiver, type GbnReceiverOptions, type ReceiverState } from './gbn-receiver.ts';
export { GbnSender, type SenderState } from './gbn-sender.ts';
export type { GbnEnd, GbnStats, GbnTrace } from './gbn-stats.ts';
export type { Want } from './gbn-window.ts';
export { type EndCode, isGbn, transferIdOf } from './wire-gbn.ts';
