// Layer 4. One file that is kept is given to somebody who has its link: the whole, a range, or word that it has not
// changed. No faster than it is read.

import type { IncomingMessage, ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { readRange, writeDigest } from './http-files.ts';
import { entityTag, isTagAmong, uploadFields } from './http-upload-fields.ts';
import type { UploadDisk } from './upload-disk.ts';
import type { Upload } from './uploads.ts';

const CHUNK_BYTES = 64 * 1024;

export interface Sending {
  readonly upload: Upload;
  readonly leftMs: number;
  readonly disk: UploadDisk;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** So many bytes were taken. */
  readonly moved: (bytes: number) => void;
}

/** False, and nothing was answered, when the bytes are not there any more. */
export async function sendUpload({ upload, leftMs, disk, request, response, moved }: Sending): Promise<boolean> {
  const { headers, method } = request;
  const about = { ...uploadFields(upload, leftMs), 'Repr-Digest': writeDigest(upload.sha256) };
  if (isKnown(upload, headers)) {
    response.writeHead(304, about).end();
    return true;
  }
  const asked = mayBePart(upload, headers) && method === 'GET' ? readRange(headers.range, upload.bytes) : 'whole';
  if (asked === 'unsatisfiable') {
    response.writeHead(416, { ...about, 'Content-Range': `bytes */${upload.bytes}`, 'Content-Length': 0 }).end();
    return true;
  }
  const { from, to } = asked === 'whole' ? { from: 0, to: upload.bytes } : asked;
  const part = asked === 'whole' ? {} : { 'Content-Range': `bytes ${from}-${to - 1}/${upload.bytes}` };
  const head = { ...about, ...part, 'Content-Length': to - from };
  const handle = await disk.read(upload);
  if (!handle) return false;
  response.writeHead(asked === 'whole' ? 200 : 206, head);
  if (method === 'HEAD' || from === to) {
    await handle.close();
    response.end();
    return true;
  }
  const bytes = handle.createReadStream({ start: from, end: to - 1, highWaterMark: CHUNK_BYTES });
  bytes.on('data', (chunk) => moved(chunk.length));
  response.on('drain', () => moved(0));
  try {
    await pipeline(bytes, response);
  } catch {
    // whoever has gone need not be told, and a disk that fails in the middle can't be told any more
    response.destroy();
  }
  return true;
}

function isKnown({ id, at }: Upload, headers: IncomingMessage['headers']): boolean {
  const noneMatch = headers['if-none-match'];
  if (noneMatch !== undefined) return isTagAmong(entityTag(id), noneMatch);
  const since = headers['if-modified-since'];
  return since !== undefined && Math.floor(at / 1000) * 1000 <= Date.parse(since);
}

/** A range of what was begun elsewhere, or before, is one of the same file only. */
function mayBePart({ id }: Upload, headers: IncomingMessage['headers']): boolean {
  const ifRange = headers['if-range'];
  return ifRange === undefined || ifRange === entityTag(id);
}
