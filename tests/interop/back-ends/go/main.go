// A SuperTokens back end in Go: what the tests ask of any back end on the session core. See
// `exercise.mjs` and `chromium.test.mjs` for the routes. Arguments: the core's address, and this
// app's port. `WEBSITE`: where its pages come from.
package main

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/MicahParks/keyfunc/v2"
	"github.com/golang-jwt/jwt/v5"
	"github.com/supertokens/supertokens-golang/recipe/session"
	"github.com/supertokens/supertokens-golang/recipe/session/sessmodels"
	"github.com/supertokens/supertokens-golang/supertokens"
)

const years = 315_360_000

var (
	origin = "http://localhost:" + os.Args[2]
	keys   *keyfunc.JWKS
)

type object = map[string]interface{}

func main() {
	core, port := os.Args[1], os.Args[2]
	website := os.Getenv("WEBSITE")
	if website == "" {
		website = origin
	}
	antiCsrf, path := "VIA_TOKEN", "/auth"
	must(supertokens.Init(supertokens.TypeInput{
		Supertokens: &supertokens.ConnectionInfo{
			ConnectionURI: core,
			APIKey:        os.Getenv("CORE_API_KEY"),
		},
		AppInfo: supertokens.AppInfo{
			AppName:       "test",
			APIDomain:     origin,
			WebsiteDomain: website,
			APIBasePath:   &path,
		},
		RecipeList: []supertokens.Recipe{session.Init(&sessmodels.TypeInput{AntiCsrf: &antiCsrf})},
	}))
	// A key that is not known yet is asked for.
	set, err := keyfunc.Get(core+"/.well-known/jwks.json", keyfunc.Options{
		RefreshUnknownKID: true,
		RefreshRateLimit:  time.Millisecond,
	})
	must(err)
	keys = set

	no, yes := false, true
	mux := http.NewServeMux()
	mux.HandleFunc("POST /login", login)
	mux.HandleFunc("GET /me", session.VerifySession(nil, me))
	optional := &sessmodels.VerifySessionOptions{SessionRequired: &no}
	mux.HandleFunc("GET /any", session.VerifySession(optional, anyVisitor))
	inDatabase := &sessmodels.VerifySessionOptions{CheckDatabase: &yes}
	mux.HandleFunc("GET /checked", session.VerifySession(inDatabase, checked))
	mux.HandleFunc("POST /merge", session.VerifySession(nil, merge))
	mux.HandleFunc("POST /merge/{handle}", answer(func(r *http.Request) (interface{}, error) {
		return session.MergeIntoAccessTokenPayload(r.PathValue("handle"), body(r))
	}))
	mux.HandleFunc("GET /information/{handle}", answer(information))
	mux.HandleFunc("PUT /data/{handle}", answer(func(r *http.Request) (interface{}, error) {
		return session.UpdateSessionDataInDatabase(r.PathValue("handle"), body(r))
	}))
	mux.HandleFunc("GET /handles/{user}", answer(func(r *http.Request) (interface{}, error) {
		return list(session.GetAllSessionHandlesForUser(r.PathValue("user"), nil))
	}))
	mux.HandleFunc("POST /revoke/{handle}", answer(func(r *http.Request) (interface{}, error) {
		return session.RevokeSession(r.PathValue("handle"))
	}))
	mux.HandleFunc("POST /revoke-all/{user}", answer(func(r *http.Request) (interface{}, error) {
		return list(session.RevokeAllSessionsForUser(r.PathValue("user"), nil))
	}))
	mux.HandleFunc("POST /jwt", answer(func(r *http.Request) (interface{}, error) {
		token, err := sign(body(r), 60)
		return object{"status": "OK", "jwt": token}, err
	}))
	// Anonymous sessions of endpoint mode: `{ "token": … }` to a POST.
	mux.HandleFunc("POST /create-anonymous-session", answer(func(*http.Request) (interface{}, error) {
		token, err := sign(object{"anonymousId": newID(), "isAnonymous": true}, years)
		return object{"token": token}, err
	}))
	must(http.ListenAndServe("127.0.0.1:"+port, cors(website, supertokens.Middleware(mux))))
}

func cors(website string, next http.Handler) http.Handler {
	allowed := strings.Join(append([]string{"content-type"}, supertokens.GetAllCORSHeaders()...), ", ")
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Access-Control-Allow-Origin", website)
		w.Header().Set("Access-Control-Allow-Credentials", "true")
		if r.Method == http.MethodOptions {
			w.Header().Set("Access-Control-Allow-Headers", allowed)
			w.Header().Set("Access-Control-Allow-Methods", "GET, POST, PUT")
			w.WriteHeader(http.StatusNoContent)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func login(w http.ResponseWriter, r *http.Request) {
	asked := body(r)
	payload, _ := asked["payload"].(object)
	if payload == nil {
		payload = object{}
	}
	if guest := guestOf(r); guest != nil {
		payload["anonymousId"] = guest["anonymousId"]
	}
	tenant, _ := asked["tenant"].(string)
	if tenant == "" {
		tenant = "public"
	}
	data, _ := asked["data"].(object)
	made, err := session.CreateNewSession(r, w, tenant, asked["user"].(string), payload, data)
	if err != nil {
		fail(w, r, err)
		return
	}
	send(w, object{"handle": made.GetHandle()})
}

func me(w http.ResponseWriter, r *http.Request) {
	own := session.GetSessionFromRequestContext(r.Context())
	send(w, object{
		"user":    own.GetUserID(),
		"handle":  own.GetHandle(),
		"tenant":  own.GetTenantId(),
		"payload": own.GetAccessTokenPayload(),
	})
}

func anyVisitor(w http.ResponseWriter, r *http.Request) {
	if own := session.GetSessionFromRequestContext(r.Context()); own != nil {
		send(w, object{"kind": "user", "user": own.GetUserID()})
	} else if guest := guestOf(r); guest != nil {
		send(w, object{"kind": "anonymous", "anonymousId": guest["anonymousId"]})
	} else {
		send(w, object{"kind": "nobody"})
	}
}

func checked(w http.ResponseWriter, r *http.Request) {
	send(w, object{"user": session.GetSessionFromRequestContext(r.Context()).GetUserID()})
}

func merge(w http.ResponseWriter, r *http.Request) {
	own := session.GetSessionFromRequestContext(r.Context())
	if err := own.MergeIntoAccessTokenPayload(body(r)); err != nil {
		fail(w, r, err)
		return
	}
	send(w, own.GetAccessTokenPayload())
}

func information(r *http.Request) (interface{}, error) {
	found, err := session.GetSessionInformation(r.PathValue("handle"))
	if err != nil || found == nil {
		return nil, err
	}
	return object{
		"user":    found.UserId,
		"payload": found.CustomClaimsInAccessTokenPayload,
		"data":    found.SessionDataInDatabase,
		"tenant":  found.TenantId,
	}, nil
}

// The claims of a guest's token; nil when there is none, or none of ours.
func guestOf(r *http.Request) object {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "bearer") {
		return nil
	}
	claims := jwt.MapClaims{}
	methods, issuer := jwt.WithValidMethods([]string{"RS256"}), jwt.WithIssuer(origin+"/auth")
	_, err := jwt.ParseWithClaims(token, claims, keys.Keyfunc, methods, issuer)
	_, isSession := claims["sessionHandle"]
	if err != nil || isSession || claims["isAnonymous"] != true {
		return nil
	}
	return claims
}

func sign(claims object, validity uint64) (string, error) {
	static := true
	made, err := session.CreateJWT(claims, &validity, &static)
	if err != nil {
		return "", err
	}
	return made.OK.Jwt, nil
}

func newID() string {
	id := make([]byte, 16)
	_, err := rand.Read(id)
	must(err)
	id[6], id[8] = id[6]&0x0f|0x40, id[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:])
}

// The answer of a route that needs no session.
func answer(of func(*http.Request) (interface{}, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		said, err := of(r)
		if err != nil {
			fail(w, r, err)
			return
		}
		w.Header().Set("Cache-Control", "no-store")
		send(w, said)
	}
}

// Nothing is an empty list, and not null.
func list(of []string, err error) (interface{}, error) {
	return append([]string{}, of...), err
}

func body(r *http.Request) object {
	read := object{}
	// An empty body is an empty object.
	_ = json.NewDecoder(r.Body).Decode(&read)
	return read
}

func send(w http.ResponseWriter, said interface{}) {
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(said); err != nil {
		log.Print(err)
	}
}

func fail(w http.ResponseWriter, r *http.Request, err error) {
	if err := supertokens.ErrorHandler(err, r, w); err != nil {
		log.Print(err)
		w.WriteHeader(http.StatusInternalServerError)
	}
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
