//! Clocks that somebody sets a year ahead or back, and then right: no session is lost.

use serde_json::{Map, json};

use super::{EngineError, Refreshed};
use crate::{MemoryStore, Sessions, clock::tests::Hands};

const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;
const YEAR: u64 = 365 * DAY;

const VISITOR: &str = "5a0c2f5e-1111-4222-8333-944445555666";

/// A server, its clock, and Alice's session: its handle and its refresh token.
struct World {
    hands: Hands,
    sessions: Sessions,
    handle: String,
    refresh: String,
}

impl World {
    async fn new() -> Self {
        let (hands, clock) = Hands::new();
        let builder =
            Sessions::builder().api_domain("http://localhost:3000").store(MemoryStore::new());
        let sessions = builder.compared_clock(clock).build().await.unwrap();
        let (access, refresh) =
            sessions.engine().create("alice", VISITOR, Map::new(), false).await.unwrap();
        Self { hands, sessions, handle: access.session.handle().to_owned(), refresh: refresh.token }
    }

    async fn sign_in(&self, user: &str) {
        self.sessions.engine().create(user, VISITOR, Map::new(), false).await.unwrap();
    }

    /// Refreshes, and uses the new access token once.
    async fn refresh(&mut self) -> Result<(), EngineError> {
        match self.sessions.engine().refresh(&self.refresh, |_| true).await? {
            Refreshed::Tokens(access, refresh) => {
                self.sessions.engine().check_database(&access.session).await?;
                self.refresh = refresh.token;
                Ok(())
            }
            Refreshed::Unauthorised(_) => panic!("the session is lost"),
            Refreshed::Theft(_) => panic!("nobody stole it"),
        }
    }
}

#[tokio::test]
async fn a_clock_that_is_a_year_ahead_for_a_while_costs_no_session() {
    let mut world = World::new().await;
    world.hands.jump_ahead(YEAR);
    // Expired sessions are removed by other people's sign-ins, the background task, and the
    // visitor's own requests.
    world.sign_in("bob").await;
    assert_eq!(world.sessions.prune(100).await.unwrap(), 0);
    let update = Map::from_iter([("a".to_owned(), json!(1))]);
    let merged = world.sessions.engine().merge_by_handle(&world.handle, &update).await;
    assert!(matches!(merged, Err(EngineError::ClockJumped)), "{merged:?}");
    let refused = world.refresh().await;
    assert!(matches!(refused, Err(EngineError::ClockJumped)), "{refused:?}");
    world.hands.pass(HOUR / 2);
    world.sign_in("carol").await;

    world.hands.jump_back(YEAR);
    world.refresh().await.unwrap();
    assert!(world.sessions.engine().merge_by_handle(&world.handle, &update).await.unwrap());
    // And long afterwards.
    world.hands.pass(99 * DAY);
    world.refresh().await.unwrap();
}

#[tokio::test]
async fn a_clock_that_is_a_year_behind_for_a_while_costs_no_session() {
    let mut world = World::new().await;
    world.hands.jump_back(YEAR);
    world.refresh().await.unwrap();
    assert_eq!(world.sessions.prune(100).await.unwrap(), 0);
    world.hands.pass(HOUR);
    world.refresh().await.unwrap();
    world.hands.jump_ahead(YEAR);
    world.sign_in("bob").await;
    world.refresh().await.unwrap();
    world.hands.pass(99 * DAY);
    world.refresh().await.unwrap();
}

/// A clock that was behind and is right now: what has expired is removed, an hour later.
#[tokio::test]
async fn a_clock_that_stays_ahead_is_believed() {
    let world = World::new().await;
    world.hands.jump_ahead(YEAR);
    assert_eq!(world.sessions.prune(100).await.unwrap(), 0);
    world.hands.pass(HOUR);
    assert_eq!(world.sessions.prune(100).await.unwrap(), 1);
    let ended = world.sessions.engine().refresh(&world.refresh, |_| true).await.unwrap();
    assert!(matches!(ended, Refreshed::Unauthorised(_)));
}
