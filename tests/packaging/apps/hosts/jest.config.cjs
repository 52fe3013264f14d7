module.exports = {
  testMatch: ["**/*.test.cjs"],
  testEnvironmentOptions: { url: process.env.ORIGIN },
};
