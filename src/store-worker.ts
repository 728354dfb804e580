// Layer 2. The store's own thread: SQLite waits for the disk here, so that nobody else does.

import { parentPort } from 'node:worker_threads';
import { Database, explain, type Group, type PostRow, type RoomRow } from './database.ts';

export type ToWorker =
  | { readonly op: 'open'; readonly file: string; readonly rooms: number }
  | { readonly op: 'room'; readonly id: number; readonly key: string }
  | { readonly op: 'write'; readonly group: Group }
  | {
      readonly op: 'history';
      readonly id: number;
      readonly room: number;
      readonly limit: number;
      readonly before?: number;
    }
  | { readonly op: 'close' };

export type FromWorker =
  | { readonly op: 'opened'; readonly rooms: RoomRow[]; readonly start: StoreStart }
  | { readonly op: 'room'; readonly id: number; readonly room: RoomRow | undefined; readonly error?: string }
  | { readonly op: 'refused'; readonly message: string }
  /** Answers to `write`, in its order; an error's message when nothing was written. */
  | { readonly op: 'written'; readonly error?: string }
  | { readonly op: 'history'; readonly id: number; readonly posts: PostRow[]; readonly error?: string }
  | { readonly op: 'closed' };

/** Where the numbers of a store go on. */
export interface StoreStart {
  readonly lastPost: number;
  readonly lastRoom: number;
  readonly lastRefs: ReadonlyArray<readonly [dialect: string, ref: number]>;
  /** Rooms that are in the file and were not loaded. */
  readonly resting: number;
}

let database: Database | undefined;

function startOf(db: Database, most: number): { rooms: RoomRow[]; start: StoreStart } {
  const rooms = db.rooms(most);
  const resting = db.roomCount() - rooms.length;
  return { rooms, start: { lastPost: db.lastPost(), lastRoom: db.lastRoom(), lastRefs: db.lastRefs(), resting } };
}

function answer(message: ToWorker): FromWorker {
  switch (message.op) {
    case 'open':
      try {
        database = new Database(message.file);
        return { op: 'opened', ...startOf(database, message.rooms) };
      } catch (error) {
        return { op: 'refused', message: explain(message.file, error) };
      }
    case 'write':
      try {
        database?.write(message.group);
        return { op: 'written' };
      } catch (error) {
        return { op: 'written', error: (error as Error).message };
      }
    case 'room':
      try {
        return { op: 'room', id: message.id, room: database?.findRoom(message.key) };
      } catch (error) {
        return { op: 'room', id: message.id, room: undefined, error: (error as Error).message };
      }
    case 'history':
      try {
        const posts = database?.history(message.room, message.limit, message.before) ?? [];
        return { op: 'history', id: message.id, posts };
      } catch (error) {
        return { op: 'history', id: message.id, posts: [], error: (error as Error).message };
      }
    case 'close':
      database?.close();
      database = undefined;
      return { op: 'closed' };
  }
}

parentPort?.on('message', (message: ToWorker) => parentPort?.postMessage(answer(message)));
