package identity_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/s3levelfs/s3levelfs/identity"
	"github.com/s3levelfs/s3levelfs/identity/cognitotest"
)

// TestGuestStaysTheSame: the identity id is found once and kept; credentials are renewed for it.
func TestGuestStaysTheSame(t *testing.T) {
	bubble(t, cognitotest.Config{Guests: true}, func(t *testing.T, s *stage) {
		var first identity.Identity
		for i := range 3 { // three processes, one after the other
			src := s.guestSource()
			who, err := src.Identity(t.Context())
			if err != nil || who.Authenticated || i > 0 && who != first {
				t.Fatalf("%+v %v", who, err)
			}
			first = who
			for range 3 {
				time.Sleep(2 * time.Hour)
				good(t, src)
			}
		}
		if n := s.fake.Calls("GetId"); n != 1 {
			t.Errorf("%d guests were made", n)
		}
	})
}

// TestGuestIsGone: an identity that the pool no longer knows is replaced once, for a new source; one that runs refuses the other.
func TestGuestIsGone(t *testing.T) {
	bubble(t, cognitotest.Config{Guests: true}, func(t *testing.T, s *stage) {
		running := s.guestSource()
		first, err := running.Identity(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		s.fake.DropIdentity(first.ID)
		second, err := s.guestSource().Identity(t.Context())
		if err != nil || second == first {
			t.Fatalf("%v after %v, %v", second, first, err)
		}
		if kept, _ := s.tokens.Guest(cognitotest.IdentityPoolID); kept != second.ID {
			t.Errorf("kept is %q", kept)
		}
		time.Sleep(2 * time.Hour)
		if _, err := running.Retrieve(t.Context()); !errors.Is(err, identity.ErrOtherIdentity) {
			t.Errorf("got %v", err)
		}
	})
}

// TestNoGuests: a pool without guests says what to do.
func TestNoGuests(t *testing.T) {
	bubble(t, cognitotest.Config{}, func(t *testing.T, s *stage) {
		_, err := s.guestSource().Retrieve(t.Context())
		if !errors.Is(err, identity.ErrRefused) || !strings.Contains(err.Error(), "s3levelfs login") {
			t.Errorf("got %v", err)
		}
		if kept, _ := s.tokens.Guest(cognitotest.IdentityPoolID); kept != "" {
			t.Errorf("kept is %q", kept)
		}
	})
}

// TestLinkGuest: as Amplify does it, a first sign-in makes the guest's identity the user's; for a user who has one the pool answers with that.
// Afterwards there is no guest.
func TestLinkGuest(t *testing.T) {
	for name, has := range map[string]string{"first sign-in": "", "has an identity": "us-east-1:of-alice"} {
		t.Run(name, func(t *testing.T) {
			bubble(t, cognitotest.Config{Guests: true}, func(t *testing.T, s *stage) {
				guest, err := s.guestSource().Identity(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				want := guest.ID
				if has != "" {
					s.fake.AddIdentity(has, "alice")
					want = has
				}
				l := s.signIn("alice")
				if err := identity.LinkGuest(t.Context(), s.pool, s.tokens, l); err != nil || l.IdentityID != want {
					t.Fatalf("%q, want %q, %v", l.IdentityID, want, err)
				}
				if kept, _ := s.tokens.Guest(cognitotest.IdentityPoolID); kept != "" {
					t.Errorf("the guest is still %q", kept)
				}
				if err := s.tokens.Replace(t.Context(), s.slot, l); err != nil {
					t.Fatal(err)
				}
				if who, err := s.source().Identity(t.Context()); err != nil || who.ID != want || !who.Authenticated {
					t.Errorf("%+v %v", who, err)
				}
			})
		})
	}
}

// TestNoGuestToLink: without one nothing is asked.
func TestNoGuestToLink(t *testing.T) {
	bubble(t, cognitotest.Config{}, func(t *testing.T, s *stage) {
		l := s.signIn("alice")
		before := s.fake.Calls("")
		if err := identity.LinkGuest(t.Context(), s.pool, s.tokens, l); err != nil || l.IdentityID != "" || s.fake.Calls("") != before {
			t.Errorf("%q %v", l.IdentityID, err)
		}
		if err := identity.FindIdentity(t.Context(), s.pool, l); err != nil || l.IdentityID == "" {
			t.Errorf("%q %v", l.IdentityID, err)
		}
	})
}

// TestRoles: the group's role by the pool's mapping, the one that is asked for where the group has it, else a refusal that names --role-arn.
func TestRoles(t *testing.T) {
	const admin, other = "arn:aws:iam::1:role/admin", "arn:aws:iam::1:role/other"
	for name, tt := range map[string]struct{ preferred, asked, want string }{
		"no group":        {"", "", "authenticated"},
		"the pool's":      {admin, "", admin},
		"asked for":       {"", admin, admin},
		"not the group's": {"", other, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, cognitotest.Config{}, func(c *identity.PoolConfig) { c.RoleARN = tt.asked })
			s.fake.AddUser(cognitotest.User{Name: "alice", Password: password, Groups: []string{"admins"}, PreferredRole: tt.preferred})
			s.fake.MapRole("admins", admin)
			s.fake.AddIdentity("us-east-1:alice", "alice")
			s.signIn("alice")
			who, err := s.source().Identity(t.Context())
			if tt.want == "" {
				if err == nil || !strings.Contains(err.Error(), "--role-arn") {
					t.Errorf("%+v %v", who, err)
				}
				return
			}
			if roles := s.fake.Roles(who.ID); err != nil || who.ID != "us-east-1:alice" || !slices.Equal(roles, []string{tt.want}) {
				t.Errorf("%+v, %q, %v", who, roles, err)
			}
		})
	}
}
