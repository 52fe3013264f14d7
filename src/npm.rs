//! The module of the npm package: one function, a memory, and no imports. `src/browser/tasks.js`
//! calls it.

use core::{
    alloc::{GlobalAlloc, Layout},
    cell::Cell,
    ptr,
};

use crate::{shell, single_thread::page_local};

/// The machine of the page; see [`shell::turn`].
#[expect(
    unsafe_code,
    reason = "an export without wasm-bindgen, whose glue every visitor would download"
)]
// SAFETY: nothing else in the module has this name.
#[unsafe(no_mangle)]
extern "C" fn turn(what: i32, task: i32, number: i32) -> usize {
    shell::turn(what, task, number)
}

/// The heap is a few kilobytes of tasks, which are of a few sizes. So a place that is given back is
/// kept for the next that needs just as much, and nothing is ever split or joined.
struct Heap;

/// A place that was given back.
struct Place {
    next: *mut Place,
    size: usize,
}

page_local! {
    static GIVEN_BACK: Cell<*mut Place> = Cell::new(ptr::null_mut());
}

page_local! {
    /// Where memory begins that nobody had yet, and how much of it there is.
    static UNUSED: Cell<(usize, usize)> = Cell::new((0, 0));
}

/// How much a place of that layout takes.
fn room(layout: Layout) -> usize {
    layout.size().next_multiple_of(size_of::<Place>())
}

#[expect(unsafe_code, reason = "allocators are unsafe by their trait")]
// SAFETY: no place is given out that is in use, each holds what its layout asks for, and no type
// here is aligned to more than eight bytes.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        const PAGE: usize = 65_536;
        let size = room(layout);
        let mut link = &raw mut *GIVEN_BACK.with(Cell::as_ptr);
        // SAFETY: every place in the list was written by `dealloc`, and belongs to nobody since.
        unsafe {
            while let Some(place) = (*link).as_mut() {
                if place.size == size {
                    *link = place.next;
                    return (&raw mut *place).cast();
                }
                link = &raw mut place.next;
            }
        }
        let (start, left) = UNUSED.with(Cell::get);
        if size <= left {
            UNUSED.with(|unused| unused.set((start + size, left - size)));
            return start as *mut u8;
        }
        let pages = size / PAGE + 1;
        let grown = core::arch::wasm32::memory_grow::<0>(pages);
        if grown == usize::MAX {
            // Said here, the code that would tell of it is not needed anywhere.
            core::arch::wasm32::unreachable();
        }
        UNUSED.with(|unused| unused.set((grown * PAGE + size, pages * PAGE - size)));
        (grown * PAGE) as *mut u8
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        let place: *mut Place = place.cast();
        // SAFETY: the caller gives the place up, and there is room for this in every one.
        unsafe { place.write(Place { next: GIVEN_BACK.with(Cell::get), size: room(layout) }) };
        GIVEN_BACK.with(|given_back| given_back.set(place));
    }
}

#[global_allocator]
static HEAP: Heap = Heap;

/// Nothing here panics on purpose. Were it to happen, the browser reports the trap with its place.
#[cfg(not(test))]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}
