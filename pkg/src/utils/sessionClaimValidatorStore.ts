import type { SessionClaimValidator } from "../claims/types.js";

const added: SessionClaimValidator[] = [];

/** The validators that other recipes want for every session. */
export class SessionClaimValidatorStore {
  static addClaimValidatorFromOtherRecipe = (builder: SessionClaimValidator): void => {
    added.push(builder);
  };

  /**
   * In the order in which they were added. A copy: a caller that changes it changes nothing here.
   */
  static getClaimValidatorsAddedByOtherRecipes = (): SessionClaimValidator[] => [...added];
}

export default SessionClaimValidatorStore;
