/** The seeing world: pictures of small grids, questions about them, and an oracle that judges every statement. */
export { madeUpListing, type SeeingCorruption, seeingCorruptions } from './corrupt.ts';
export { captionRow, type Lesson, listingRow, lookupRow, mixedRow, poolItem } from './lessons.ts';
export { NOTE_RIGHT, type NoteLaw } from './note.ts';
export {
  type JudgedStatement,
  type Judgement,
  oracle,
  type ResponseStyle,
  SOUND,
  VERDICTS,
  type Verdict,
} from './oracle.ts';
export { CELL_PIXELS, drawPicture, type RgbPicture } from './picture.ts';
export {
  contentOf,
  DEFAULT_GRID,
  type Item,
  pictureOf,
  picturePath,
  question,
  questionRecord,
  type SeeingQuestion,
  type SeeingRecord,
  trmRow,
} from './records.ts';
export { STEP_SCORES, statementStarts, stepScoresByOracle } from './steps.ts';
export { responseText, soundTrace, TRACE_STYLES, type Trace, type TraceStyle, traceOf } from './traces.ts';
export { CONTENTS, cellNames, MARKERS, SCORE_WORDS, SPECIAL, VOCABULARY, WORDS } from './vocabulary.ts';
export { parseWorld, type SeeingWorld, SPLITS, type Split, TEMPLATES, type Template } from './world.ts';
