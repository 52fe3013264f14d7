var events = [];
supertokens.init({
  apiDomain: location.origin,
  anonymous: {},
  onHandleEvent: function (event) {
    events.push(event.action);
  },
});
window.app = {
  events: events,
  doesSessionExist: supertokens.doesSessionExist,
  getUserId: supertokens.getUserId,
  signOut: supertokens.signOut,
};
