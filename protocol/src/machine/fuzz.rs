//! Any inputs that a shell could make, in any order.

use alloc::vec::Vec;

use bolero::TypeGenerator;

use super::{
    tests::{CONFIG, MODES, QUESTIONS, actions, answer, view},
    *,
};
use crate::testing::{Native, token};

/// Calls that a shell makes.
#[derive(Clone, Copy, Debug, TypeGenerator)]
enum Input {
    Request(bool),
    Operation(u8),
    Changed,
    Locked,
    Answered(u8, Option<u8>, Option<u8>, u8),
    Message(u8),
    Written(u8),
    Started,
    Verified(Option<bool>),
    Done(bool),
    Configure(u8, bool),
}

/// A call, the task that it names, and what the shell sees: its clock, the stored sessions, and
/// more of its storage, a bit each.
type Move = (Input, i8, u8, Option<u8>, Option<u8>, u8);

/// The operations that change something.
const CHANGES: [Operation; 5] = [
    Operation::Refresh,
    Operation::SignOut,
    Operation::Forget,
    Operation::SwitchOff,
    Operation::SwitchOn,
];

/// One of them.
fn choose<T: Copy>(from: &[T], number: u8) -> T {
    from[usize::from(number) % from.len()]
}

/// Whether the task waits for that.
fn is_awaited(machine: &Machine<Native>, id: TaskId, input: Input) -> bool {
    machine.tasks.iter().any(|task| {
        // Neither for another task's end.
        task.id == id
            && task.flight == NO_TASK
            && match input {
                Input::Locked => matches!(task.step, Step::Turn | Step::Lock),
                Input::Answered(..) => task.step == Step::Answer,
                Input::Message(_) => task.step == Step::Message,
                Input::Written(_) => matches!(task.step, Step::Store | Step::StoreEnd),
                Input::Verified(_) => task.step == Step::Verify,
                Input::Done(ok) => match task.step {
                    Step::Prepare | Step::ReadSignOut | Step::Claims | Step::ShowAnswer => true,
                    Step::Answer => !ok,
                    _ => false,
                },
                _ => true,
            }
    })
}

/// All that a machine knows.
fn sketch(machine: &Machine<Native>) -> alloc::string::String {
    let mut tasks: Vec<_> = machine.tasks.iter().collect();
    tasks.sort_by_key(|task| task.id);
    let tasks = tasks.into_iter().map(|task| {
        (
            (task.id, task.kind, task.step, task.flight, task.shares, task.leads),
            (task.has_asked, task.is_crossed, task.attempts, task.status, task.change),
            (task.subject, task.before.mark(), task.wanted.mark(), task.is_announced()),
        )
    });
    alloc::format!(
        "{:?}",
        (
            tasks.collect::<Vec<_>>(),
            (machine.mode, machine.no_anonymous_support, machine.unstored_none),
            (machine.probe_failed_at, machine.doubt_failed_at, machine.contested),
            (&machine.written, &machine.doubted, &machine.undeleted),
            (&machine.ended, machine.forgotten.iter().collect::<Vec<_>>()),
            (machine.flight, machine.creation, machine.leader, machine.own),
        )
    )
}

/// The input that a task waits for at this step.
fn awaited(step: Step, (user, guest): (Option<u8>, Option<u8>), number: u8) -> Input {
    let ok = number & 3 > 0;
    match step {
        Step::Turn | Step::Lock => Input::Locked,
        Step::Answer => Input::Answered(number, user, guest, number >> 2),
        Step::Message => Input::Message(number),
        Step::Store | Step::StoreEnd => Input::Written(if ok { 0 } else { number }),
        Step::Verify => Input::Verified(Some(ok)),
        _ => Input::Done(ok),
    }
}

/// The shell's view, of which each bit says something.
fn any_view(now: f64, user: Option<u8>, guest: Option<u8>, bits: u8) -> View<Native> {
    let mut view = view(now, user.map(|id| id % 3), guest.map(|id| id % 3));
    (view.has_refresh_token, view.has_access_token) = (bits & 1 > 0, bits & 3 == 3);
    if bits & 4 > 0 {
        view.stored.changed = Mark::NONE;
    }
    if bits & 8 > 0 {
        view.server_now = 0.0;
    }
    if bits & 16 > 0 {
        view.stored.user = Slot::Unreadable;
    }
    if bits & 32 > 0 {
        view.stored.anonymous = Slot::Unreadable;
    }
    if bits & 64 > 0 {
        view.latest = LatestSeen { id: Some("s1"), issued_at: 1.0 };
    }
    view
}

/// An answer, of which each bit says something.
fn any_answer(status: u8, user: Option<u8>, guest: Option<u8>, bits: u8) -> Answer<Native> {
    let status = choose(&[200, 401, 403, 503], status);
    Answer {
        anonymous: match guest {
            Some(id) => Announced::Token(token(&alloc::format!("a{}", id % 3), f64::from(id % 3))),
            None if bits & 2 > 0 => Announced::Removed,
            None => Announced::Nothing,
        },
        limited: bits & 4 > 0,
        has_tokens: bits & 8 > 0,
        ..answer(status, user.map(|id| id % 3), bits & 1 > 0)
    }
}

/// Any inputs in any order, with clocks that are no numbers: nothing panics, a caller hears once,
/// and what a machine wants comes to an end. An input that no task waits for changes nothing.
fn survive(kind: u8, moves: &[Move]) {
    let config = Config {
        has_endpoint: kind & 4 > 0,
        verifies: kind & 8 > 0,
        retry_limit: u32::from(kind >> 6),
        ..CONFIG
    };
    let mut machine = Machine::<Native>::new(config, choose(&MODES, kind));
    let (mut begun, mut settled) = (0, Vec::new());
    for &(mut input, task, clock, user, guest, bits) in moves {
        let now = choose(&[1e12, 1e12 + 20.0, f64::NAN, -1.0, f64::INFINITY], clock);
        let mut task = TaskId::from(task % 8);
        // Most inputs are of a task that there is, and many are what it waits for. Others seldom
        // come far.
        let there: Vec<_> = machine.tasks.iter().map(|task| (task.id, task.step)).collect();
        if clock & 64 > 0 && !there.is_empty() {
            let (id, step) = choose(&there, clock ^ bits);
            task = id;
            if clock & 128 > 0 {
                input = awaited(step, (user, guest), bits);
            }
        }
        let is_calls = matches!(
            input,
            Input::Request(_)
                | Input::Operation(_)
                | Input::Changed
                | Input::Started
                | Input::Configure(..)
        );
        let view = any_view(now, user, guest, bits);
        let before = (!is_calls && !is_awaited(&machine, task, input)).then(|| {
            // The machine may notice another session, whatever it is that happens.
            machine.look_at(&view);
            sketch(&machine)
        });
        match input {
            Input::Request(is_once) => {
                begun += 1;
                machine.request(begun, is_once, &view);
            }
            Input::Operation(number) => {
                begun += 1;
                let operation = match number & 1 {
                    0 => choose(&QUESTIONS, number >> 1),
                    _ => choose(&CHANGES, number >> 1),
                };
                machine.operation(begun, operation, &view);
            }
            Input::Changed => machine.changed(&view),
            Input::Locked => machine.locked(task, &view),
            Input::Started => machine.started(&view),
            Input::Answered(status, user, guest, bits) => {
                machine.answered(task, any_answer(status, user, guest, bits), &view);
            }
            Input::Message(number) => {
                const VERDICTS: [Verdict; 3] = [Verdict::Theft, Verdict::Ended, Verdict::Unclear];
                let message = match number & 3 {
                    3 => Message::TryRefresh,
                    _ => Message::Other(choose(&VERDICTS, number)),
                };
                machine.message(task, message, &view);
            }
            Input::Written(number) => {
                let kept = [Kept::All, Kept::NotAnonymous, Kept::NotUser];
                machine.written(task, choose(&kept, number), &view);
            }
            Input::Verified(is_good) => machine.verified(task, is_good, &view),
            Input::Done(ok) => machine.done(task, ok, &view),
            Input::Configure(mode, goes_on) => {
                machine.configure(config, choose(&MODES, mode), goes_on)
            }
        }
        let wanted = actions(&mut machine);
        assert!(wanted.len() < 1_000, "one input leads to {} actions", wanted.len());
        if let Some(before) = before {
            assert_eq!(wanted, [], "{input:?} of task {task}, which waits for something else");
            assert_eq!(sketch(&machine), before, "{input:?} of task {task}");
        }
        for action in wanted {
            match action {
                Action::Settle { task, .. } if task > 0 => {
                    assert!(task <= begun && !settled.contains(&task), "task {task} ends twice");
                    settled.push(task);
                }
                _ => {}
            }
        }
    }
}

#[test]
fn fuzz() {
    bolero::check!().with_type::<(u8, Vec<Move>)>().for_each(|(kind, moves)| survive(*kind, moves));
}
