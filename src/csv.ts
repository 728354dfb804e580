// Layer 1. Rows of comma-separated values as Python's csv.reader reads them, which is what wrote the files
// that we take over. Pure. Like that reader it refuses nothing: a quote that stands in a field's middle is
// itself, and one that is never closed runs to the end.

export interface CsvRow {
  /** The line of the file on which it begins, counted from 1. */
  readonly line: number;
  readonly fields: string[];
}

/** Blank lines are left out. */
export function parseCsv(text: string): CsvRow[] {
  const rows: CsvRow[] = [];
  let fields: string[] = [];
  let field = '';
  /** Before a field's first character, in one without quotes, between quotes, behind a quote between quotes. */
  let state: 'start' | 'plain' | 'quoted' | 'quote' = 'start';
  let line = 1;
  let rowLine = 1;

  const endRow = (): void => {
    if (fields.length > 0 || state !== 'start') rows.push({ line: rowLine, fields: [...fields, field] });
    fields = [];
    field = '';
    state = 'start';
  };

  for (let at = text.startsWith('\ufeff') ? 1 : 0; at < text.length; at++) {
    const char = text[at] as string;
    if (state === 'start' && fields.length === 0) rowLine = line;
    if (state === 'quoted') {
      if (char === '"') state = 'quote';
      else field += char;
    } else if (char === '\n' || char === '\r') {
      endRow();
    } else if (char === ',') {
      fields.push(field);
      field = '';
      state = 'start';
    } else if (char === '"' && state !== 'plain') {
      if (state === 'quote') field += char;
      state = 'quoted';
    } else {
      field += char;
      state = 'plain';
    }
    if (char === '\n' || (char === '\r' && text[at + 1] !== '\n')) line++;
  }
  endRow();
  return rows;
}
