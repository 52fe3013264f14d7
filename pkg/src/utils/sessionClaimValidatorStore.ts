import type { SessionClaimValidator } from "../claims/types.js";

const added: SessionClaimValidator[] = [];

/** The demands of other recipes on every session. */
export class SessionClaimValidatorStore {
  static addClaimValidatorFromOtherRecipe = (builder: SessionClaimValidator): void => {
    added.push(builder);
  };

  /**
   * In the order in which they were added. A copy, so that nobody who changes it changes it for
   * all.
   */
  static getClaimValidatorsAddedByOtherRecipes = (): SessionClaimValidator[] => [...added];
}

export default SessionClaimValidatorStore;
