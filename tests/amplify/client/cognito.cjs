// Drives amazon-cognito-identity-js 6; see driver.cjs.
'use strict';
const drive = require('./driver.cjs');
const { AuthenticationDetails, CognitoUser, CognitoUserPool } = require('amazon-cognito-identity-js');
const AuthenticationHelper = require('amazon-cognito-identity-js/lib/AuthenticationHelper').default;
const BigInteger = require('amazon-cognito-identity-js/lib/BigInteger').default;
const DateHelper = require('amazon-cognito-identity-js/lib/DateHelper').default;

const original = {
  a: AuthenticationHelper.prototype.generateRandomSmallA,
  u: AuthenticationHelper.prototype.calculateU,
  s: AuthenticationHelper.prototype.calculateS,
  key: AuthenticationHelper.prototype.computehkdf,
  now: DateHelper.prototype.getNowString,
};

// What the library computes of one sign-in when its random number, its clock and the server's answer are these.
const numbers = (v) => new Promise((resolve, reject) => {
  const out = {};
  const helper = AuthenticationHelper.prototype;
  helper.generateRandomSmallA = () => new BigInteger(v.a, 16);
  helper.calculateU = function (A, B) { const u = original.u.call(this, A, B); out.u = u.toString(16); return u; };
  helper.calculateS = function (x, B, done) {
    original.s.call(this, x, B, (err, s) => { if (s) out.s = s.toString(16); done(err, s); });
  };
  helper.computehkdf = function (ikm, salt) { const k = original.key.call(this, ikm, salt); out.key = Buffer.from(k).toString('hex'); return k; };
  DateHelper.prototype.getNowString = () => v.timestamp;
  const pool = new CognitoUserPool({ UserPoolId: v.pool, ClientId: 'client' });
  pool.client.request = (operation, params, done) => {
    if (operation === 'InitiateAuth') {
      out.bigA = params.AuthParameters.SRP_A;
      return done(null, { ChallengeParameters: { USER_ID_FOR_SRP: v.user, SRP_B: v.bigB, SALT: v.salt, SECRET_BLOCK: v.secretBlock } });
    }
    out.signature = params.ChallengeResponses.PASSWORD_CLAIM_SIGNATURE;
    return resolve(out);
  };
  const user = new CognitoUser({ Username: v.user, Pool: pool });
  user.authenticateUser(new AuthenticationDetails({ Username: v.user, Password: v.password }), { onFailure: reject, onSuccess: reject });
}).finally(() => {
  AuthenticationHelper.prototype.generateRandomSmallA = original.a;
  AuthenticationHelper.prototype.calculateU = original.u;
  AuthenticationHelper.prototype.calculateS = original.s;
  AuthenticationHelper.prototype.computehkdf = original.key;
  DateHelper.prototype.getNowString = original.now;
});

// Signs in, with what is asked besides, and exchanges the refresh token once.
const signIn = ({ endpoint, pool, client, user: name, password, flow, newPassword, attributes, code }) => new Promise((resolve, reject) => {
  const asked = [];
  const user = new CognitoUser({ Username: name, Pool: new CognitoUserPool({ UserPoolId: pool, ClientId: client, endpoint }) });
  if (flow) user.setAuthenticationFlowType(flow);
  const answers = {
    onFailure: reject,
    onSuccess: (session) => user.refreshSession(session.getRefreshToken(), (err, again) => {
      if (err) return reject(err);
      return resolve({ asked, claims: session.getIdToken().payload, again: again.getIdToken().payload, valid: again.isValid() });
    }),
    newPasswordRequired: (_, required) => {
      asked.push('new password', ...required);
      user.completeNewPasswordChallenge(newPassword, attributes, answers);
    },
    totpRequired: () => { asked.push('totp'); user.sendMFACode(code, answers, 'SOFTWARE_TOKEN_MFA'); },
  };
  user.authenticateUser(new AuthenticationDetails({ Username: name, Password: password }), answers);
});

const operations = { numbers, signIn };

drive(operations);
