// Names that the pages of the tests have, for the code that the shared files run in them.

declare const harness: any;
declare const passerby: any;
/** Of the small apps in `packaging/apps`. */
declare const app: any;
/** Of `engines/pages`. */
declare const names: string[];
declare const problems: string[];
declare const run: any;

interface Window {
  [name: string]: any;
}
