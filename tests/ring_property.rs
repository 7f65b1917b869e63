//! The ring against a queue that cannot be wrong, over any sequence of what its two ends can do.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any, prop_oneof, proptest};
use sipbus::shm::layout::ModulePlan;
use sipbus::shm::region::Region;
use sipbus::shm::ring::{Consumer, FRAME_HEADER_BYTES, Producer, Ring};
use std::collections::VecDeque;

#[derive(Debug, Clone)]
enum Act {
    /// Stages a frame of that many bytes.
    Stage(usize),
    Commit,
    Take,
    /// Releases all but so many of the frames taken.
    Release(usize),
    /// Settles those of the frames taken whose bit is set.
    Settle(u64),
    Rewind,
    /// The producer dies with what it staged; another attaches.
    ProducerDies,
    /// The consumer dies with what it took; another attaches.
    ConsumerDies,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => (0_usize..3_000).prop_map(Act::Stage),
        1 => (0_usize..70_000).prop_map(Act::Stage),
        3 => Just(Act::Commit),
        6 => Just(Act::Take),
        3 => (0_usize..4).prop_map(Act::Release),
        2 => any::<u64>().prop_map(Act::Settle),
        1 => Just(Act::Rewind),
        1 => Just(Act::ProducerDies),
        1 => Just(Act::ConsumerDies),
    ]
}

/// What the ring should hold: frames by their first byte and length.
#[derive(Default)]
struct Model {
    staged: VecDeque<Vec<u8>>,
    /// And whether they were settled before they are taken again.
    visible: VecDeque<(Vec<u8>, bool)>,
    /// Taken, not released, with whether they are settled, and the position behind each.
    taken: VecDeque<(Vec<u8>, bool, u64)>,
    released: u64,
}

impl Model {
    fn used(&self) -> usize {
        let frames = self.staged.iter();
        let frames = frames.chain(self.visible.iter().map(|(frame, _)| frame));
        let frames = frames.chain(self.taken.iter().map(|(frame, ..)| frame));
        frames
            .map(|frame| (frame.len() + FRAME_HEADER_BYTES).next_multiple_of(8))
            .sum()
    }

    fn untake(&mut self) {
        while let Some((frame, settled, _)) = self.taken.pop_back() {
            self.visible.push_front((frame, settled));
        }
    }
}

fn ring() -> Ring {
    let plan = ModulePlan {
        name: "test".into(),
        lane_bytes: 1,
        inbox_bytes: 1,
        inboxes: 0,
        rows: 0,
        mailbox_bytes: 0,
    };
    Region::create(1, vec![plan]).unwrap().lane(0, 0).unwrap().1
}

fn frame(seed: u8, len: usize) -> Vec<u8> {
    (0..len)
        .map(|at| seed.wrapping_add(at.to_le_bytes()[0]))
        .collect()
}

fn check(acts: &[(Act, u8)]) {
    let ring = ring();
    let mut producer = Producer::attach(ring.clone());
    let mut consumer = Consumer::attach(ring.clone());
    let mut model = Model::default();
    for (act, seed) in acts {
        match act {
            Act::Stage(len) => {
                let frame = frame(*seed, *len);
                let wanted = (len + FRAME_HEADER_BYTES).next_multiple_of(8);
                let fits = model.used() + wanted <= ring.size();
                let (head, tail) = frame.split_at(len / 3);
                assert_eq!(producer.stage(&[head, tail]).is_ok(), fits);
                if fits {
                    model.staged.push_back(frame);
                }
            }
            Act::Commit => {
                producer.commit();
                let shown = model.staged.drain(..).map(|frame| (frame, false));
                model.visible.extend(shown);
            }
            Act::Take => {
                let taken = consumer.take().unwrap().map(<[u8]>::to_vec);
                let expected = model.visible.pop_front();
                let settled = expected.as_ref().is_some_and(|(_, settled)| *settled);
                assert_eq!(taken.as_ref(), expected.as_ref().map(|(frame, _)| frame));
                assert!(taken.is_none() || consumer.is_settled() == settled);
                model
                    .taken
                    .extend(expected.map(|(frame, settled)| (frame, settled, consumer.cursor())));
            }
            Act::Release(keep) => {
                let count = model.taken.len().saturating_sub(*keep);
                if let Some((.., position)) = model.taken.drain(..count).next_back() {
                    consumer.release(position);
                    model.released = position;
                }
            }
            Act::Settle(bits) => {
                let which = |number: usize| number < 64 && bits >> number & 1 == 1;
                consumer.settle(model.released, consumer.cursor(), which);
                for (number, (_, settled, _)) in model.taken.iter_mut().enumerate() {
                    *settled |= which(number);
                }
            }
            Act::Rewind => {
                consumer.rewind();
                model.untake();
            }
            Act::ProducerDies => {
                producer = Producer::attach(ring.clone());
                model.staged.clear();
            }
            Act::ConsumerDies => {
                consumer = Consumer::attach(ring.clone());
                model.untake();
            }
        }
        let staged: usize = model
            .staged
            .iter()
            .map(|frame| (frame.len() + FRAME_HEADER_BYTES).next_multiple_of(8))
            .sum();
        assert_eq!(ring.used(), model.used() - staged);
    }
}

proptest! {
    #[test]
    fn the_ring_is_a_queue(acts in vec((act(), any::<u8>()), 1..400)) {
        check(&acts);
    }
}

#[test]
fn the_largest_frame_fits_wherever_the_ring_stands() {
    let ring = ring();
    let mut producer = Producer::attach(ring.clone());
    let mut consumer = Consumer::attach(ring.clone());
    let largest = frame(7, ring.frame_bytes_max());
    for step in 0..64 {
        producer.push(&[&frame(1, step * 1_001)]).unwrap();
        assert!(consumer.take().unwrap().is_some());
        consumer.release(consumer.cursor());
        producer.push(&[&largest]).unwrap();
        assert!(
            producer.push(&[b""]).is_err(),
            "the ring is full to the last byte"
        );
        assert_eq!(consumer.take().unwrap(), Some(&largest[..]));
        consumer.release(consumer.cursor());
    }
}

#[test]
fn a_frame_over_the_ring_never_fits() {
    let ring = ring();
    let mut producer = Producer::attach(ring.clone());
    assert!(
        producer
            .push(&[&frame(1, ring.frame_bytes_max() + 1)])
            .is_err()
    );
    assert_eq!(ring.used(), 0);
}
