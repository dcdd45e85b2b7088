// Owns the tables of the multi-byte encodings of old: kept by the Cell, brought in when the first of them is asked for.
// The bundler puts this in the place of the tables that come with @exodus/bytes.
import { ASK, askCell } from './ask-cell.ts';

export function loadEncodings(): unknown {
  return JSON.parse(askCell(ASK.encodings, '')!);
}
