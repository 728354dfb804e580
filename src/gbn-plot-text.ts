// Layer 1. A transfer's sequence diagram for a terminal: a line for each packet, in the order of time. Pure.

import { type Arrow, type Diagram, formatMs, isHalf, labelOf, startOf, wrapWords } from './gbn-plot.ts';
import { printable } from './printable.ts';

export interface TextOptions {
  readonly title: string;
  readonly parameters?: readonly string[];
  /** Of the terminal, in characters. */
  readonly columns: number;
}

const LEAST_COLUMNS = 60;
const MOST_COLUMNS = 200;
const TIME_COLUMNS = 11;
const WINDOW_COLUMNS = 13;

/** Lines without newlines, none longer than the terminal is wide. */
export function renderText(diagram: Diagram, options: TextOptions): string[] {
  const columns = Math.min(Math.max(options.columns, LEAST_COLUMNS), MOST_COLUMNS);
  const wayColumns = columns - 2 * TIME_COLUMNS - WINDOW_COLUMNS - 4;
  const parameters = (options.parameters ?? []).join(', ');
  const head = [options.title, parameters, ...diagram.remarks].map(oneLine);
  const lines = [
    ...[...head, LEGEND].flatMap((line) => wrapWords(line, columns)),
    '',
    row('sender ms', 'window', spread('sender', 'receiver', wayColumns), 'receiver ms'),
    ...body(diagram, wayColumns),
  ];
  return lines.map((line) => line.slice(0, columns).trimEnd());
}

const LEGEND = '--- first, === again, ... repair, X lost, ? not traced at that end, * the sender goes back';

function oneLine(text: string): string {
  return printable(text.toWellFormed()).replace(/\s+/g, ' ');
}

function body({ arrows, notes, windows }: Diagram, wayColumns: number): string[] {
  let note = 0;
  let step = 0;
  let shown = -1;
  return arrows.flatMap((arrow) => {
    const at = startOf(arrow);
    const lines: string[] = [];
    for (; (notes[note]?.at ?? Number.POSITIVE_INFINITY) <= at; note++) {
      lines.push(row('', '', `* ${notes[note]?.text}`.padEnd(wayColumns), ''));
    }
    while ((windows[step + 1]?.at ?? Number.POSITIVE_INFINITY) <= at) step++;
    const window = windows[step];
    const isNew = window !== undefined && shown !== step;
    if (isNew) shown = step;
    lines.push(arrowRow(arrow, isNew ? `${window.first}-${window.last}` : '', wayColumns));
    return lines;
  });
}

function arrowRow(arrow: Arrow, window: string, wayColumns: number): string {
  const [left, right] = arrow.isFromSender ? [arrow.leftAt, arrow.arrivedAt] : [arrow.arrivedAt, arrow.leftAt];
  return row(
    timeOf(left, arrow, arrow.isFromSender),
    window,
    way(arrow, wayColumns),
    timeOf(right, arrow, !arrow.isFromSender),
  );
}

function timeOf(at: number | undefined, arrow: Arrow, isStart: boolean): string {
  if (at !== undefined) return formatMs(at).slice(0, -3);
  return arrow.isLost && !isStart ? 'lost' : '?';
}

/** `|-- data 7 ------>|`, and the other way round. */
function way(arrow: Arrow, columns: number): string {
  const stroke = arrow.isResent ? '=' : arrow.kind === 'repair' ? '.' : '-';
  const label = ` ${labelOf({ ...arrow, isLost: false })} `.slice(0, columns - 8);
  const length = arrow.isLost || isHalf(arrow) ? Math.max(Math.floor(columns / 2), label.length + 3) : columns;
  const end = arrow.isLost ? 'X' : arrow.arrivedAt === undefined ? ' ' : '>';
  const shaft = `${stroke.repeat(2)}${label}`.padEnd(length - 1, stroke) + end;
  if (arrow.isFromSender) return arrow.leftAt === undefined ? shaft.padStart(columns) : shaft.padEnd(columns);
  const back = `${(end === '>' ? '<' : end) + stroke.repeat(Math.max(length - label.length - 3, 0))}${label}${stroke.repeat(2)}`;
  return arrow.leftAt === undefined ? back.padEnd(columns) : back.padStart(columns);
}

function spread(left: string, right: string, columns: number): string {
  return left + right.padStart(columns - left.length);
}

function row(left: string, window: string, between: string, right: string): string {
  return `${left.padStart(TIME_COLUMNS)}  ${window.padEnd(WINDOW_COLUMNS - 2)}|${between}| ${right.padEnd(TIME_COLUMNS)}`;
}
