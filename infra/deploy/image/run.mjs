/** Entry point of the image: `run.mjs <part> [arguments]`. Unlike `npm start` it installs and builds nothing. */
import { partNamed, runPart } from '../../../bootstrap/parts.mjs';

const [name] = process.argv.splice(2, 1);
await runPart(partNamed(name));
