/** The back end answered `{ status: "GENERAL_ERROR" }`; the message is meant for the user. */
export class STGeneralError extends Error {
  isSuperTokensGeneralError = true;

  constructor(message: string) {
    super(message);
  }

  // The type that users of the peers compile against.
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  static isThisError(err: any): err is STGeneralError {
    return err?.isSuperTokensGeneralError === true;
  }
}

export default STGeneralError;
