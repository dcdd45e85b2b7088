// Owns the note that something failed outside of any test, which the runner's report does not say. A reporter of the runner.
import { writeFileSync } from 'node:fs';

export default class Unhandled {
  onTestRunEnd(_files, errors) {
    if (errors.length > 0) writeFileSync(process.env.UNHANDLED_FILE, `${errors.length}`);
  }
}
