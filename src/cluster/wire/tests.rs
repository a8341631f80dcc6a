//! Packets that a Redis 7.2 node sent (tests/data/bus) read and written again; packets of our own
//! there and back; broken ones, which must be refused and never do harm.

use proptest::prelude::*;

use super::*;
use crate::base::rng::Rng;
use crate::keyspace::Slot;

macro_rules! golden {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_bytes!(concat!("../../../tests/data/bus/", $name, ".bin")))),*]
    };
}

/// What a real node sent: one without any announcement, and one that announces all it can.
const GOLDEN: &[(&str, &[u8])] = golden![
    "plain_meet",
    "plain_ping",
    "plain_pong",
    "named_meet",
    "named_ping",
    "named_pong",
    "named_ping_pfail",
    "named_ping_forgotten",
    "named_fail",
    "named_publish",
    "named_update",
];

fn golden(name: &str) -> &'static [u8] {
    GOLDEN.iter().find(|(n, _)| *n == name).expect("a known packet").1
}

fn decoded(name: &str) -> Packet<'static> {
    decode(golden(name)).expect("a valid packet")
}

fn heartbeat(body: &Body<'_>) -> (Vec<Gossip>, Vec<Extension>) {
    let Body::Heartbeat { gossip, extensions, .. } = body else { panic!("{body:?}") };
    (gossip.clone(), extensions.clone())
}

#[test]
fn what_redis_sent_is_read_and_written_again_byte_for_byte() {
    for (name, bytes) in GOLDEN {
        let packet = decode(bytes).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(frame_len(bytes), Ok(Some(bytes.len())), "{name}");
        assert_eq!(encoded_len(&packet.body), bytes.len(), "{name}");
        let written = encode(&packet.header, &packet.body);
        let differs = written.iter().zip(*bytes).position(|(a, b)| a != b);
        assert_eq!((differs, written.len()), (None, bytes.len()), "{name}");
    }
}

#[test]
fn what_redis_sent_means_what_it_was_told_to_say() {
    let plain = decoded("plain_meet");
    assert_eq!(plain.body.kind(), MessageKind::Meet);
    assert_eq!(&*plain.header.address.ip, "");
    assert_eq!(plain.header.address.bus_port, plain.header.address.port + 10000);
    assert!(!plain.header.state_ok && plain.header.slots.is_empty());
    assert_eq!(plain.header.replica_of, None);
    assert!(plain.header.flags.contains(NodeFlags::MYSELF | NodeFlags::PRIMARY));
    let (gossip, extensions) = heartbeat(&plain.body);
    assert!(gossip.is_empty() && matches!(extensions[..], [Extension::Shard(_)]));

    let named = decoded("named_ping");
    let address = Address { ip: "10.1.2.3".into(), port: 7001, tls_port: 0, bus_port: 17001 };
    assert_eq!(named.header.address, address);
    let slots = [(0, 99), (1000, 1000), (16383, 16383)].map(|(a, b)| (Slot(a), Slot(b)));
    assert_eq!(named.header.slots.ranges(), slots);
    assert_eq!((named.header.current_epoch, named.header.config_epoch), (Epoch(1), Epoch(1)));
    let (gossip, extensions) = heartbeat(&named.body);
    assert_eq!((gossip.len(), &*gossip[0].address.ip), (1, "127.0.0.1"));
    assert_eq!(extensions[0], Extension::Hostname("host-1.example.com".into()));
    assert_eq!(extensions[1], Extension::HumanName("shard-1".into()));

    let (gossip, _) = heartbeat(&decoded("named_ping_pfail").body);
    assert!(gossip.iter().any(|g| g.flags.contains(NodeFlags::PFAIL) && g.ping_sent_s > 0));
    let (_, extensions) = heartbeat(&decoded("named_ping_forgotten").body);
    let Body::Fail(failed) = decoded("named_fail").body else { panic!() };
    let told = extensions.iter().find_map(|extension| match extension {
        Extension::Forgotten { node, ttl_s } => Some((*node, (1..=60).contains(ttl_s))),
        _ => None,
    });
    assert_eq!(told, Some((failed, true)));
    let Body::Publish { sharded: false, channel: b"news", message: b"hello world" } =
        decoded("named_publish").body
    else {
        panic!()
    };
    let Body::Update { node, config_epoch: Epoch(1), slots } = decoded("named_update").body else {
        panic!()
    };
    assert_eq!((node, slots), (named.header.sender, named.header.slots));
}

#[test]
fn sizes_are_those_of_redis() {
    let id = NodeId::random(&mut Rng::seeded(1));
    let sized = [
        (Body::AuthRequest, 2256),
        (Body::AuthAck, 2256),
        (Body::MfStart, 2256),
        (Body::Module, 2269),
        (Body::Fail(id), 2296),
        (Body::Update { node: id, config_epoch: Epoch(1), slots: SlotSet::default() }, 4352),
        (Body::Publish { sharded: true, channel: b"c", message: b"" }, 2265),
    ];
    let header = decoded("plain_ping").header;
    for (body, length) in sized {
        let bytes = encode(&header, &body);
        assert_eq!(bytes.len(), length, "{body:?}");
        assert_eq!(decode(&bytes).map(|p| p.body), Ok(body));
    }
}

#[test]
fn frames_are_refused_as_early_as_can_be_told() {
    let mut bytes = golden("plain_ping").to_vec();
    for end in 0..8 {
        assert_eq!(frame_len(&bytes[..end]), Ok(None));
    }
    assert_eq!(frame_len(b"R"), Ok(None));
    assert_eq!(frame_len(b"GET / HTTP"), Err(Malformed::Signature));
    assert_eq!(frame_len(b"RCmx"), Err(Malformed::Signature));
    let mut length = |length: u32, end: usize| {
        bytes[4..8].copy_from_slice(&length.to_be_bytes());
        frame_len(&bytes[..end])
    };
    assert_eq!(length(HEADER_BYTES as u32 - 1, 8), Err(Malformed::Length));
    assert_eq!(length(HEADER_BYTES as u32, 8), Ok(Some(HEADER_BYTES)));
    assert_eq!(length(u32::MAX, 8), Err(Malformed::Length));
    // A message may be that long, a heartbeat may not.
    assert_eq!(length(100_000_000, 8), Ok(Some(100_000_000)));
    assert_eq!(length(100_000_000, 14), Err(Malformed::Length));
    bytes[13] = MessageKind::Publish as u8;
    assert_eq!(frame_len(&bytes[..14]), Ok(Some(100_000_000)));
}

/// A packet with some bytes replaced, and its length made right.
fn patched(name: &str, patches: &[(usize, &[u8])]) -> Vec<u8> {
    let mut bytes = golden(name).to_vec();
    for (at, patch) in patches {
        bytes.resize(bytes.len().max(at + patch.len()), 0);
        bytes[*at..at + patch.len()].copy_from_slice(patch);
    }
    let length = bytes.len() as u32;
    bytes[4..8].copy_from_slice(&length.to_be_bytes());
    bytes
}

#[test]
fn each_defect_has_its_name() {
    let at_ip = 2168;
    let at_body = HEADER_BYTES;
    type Patches<'a> = &'a [(usize, &'a [u8])];
    let cases: &[(&str, Patches<'_>, Malformed)] = &[
        ("plain_ping", &[(8, &[0, 2])], Malformed::Version(2)),
        ("plain_ping", &[(12, &[0, 11])], Malformed::UnknownKind(11)),
        ("plain_ping", &[(12, &[0xff, 0xff])], Malformed::UnknownKind(0xffff)),
        ("plain_ping", &[(14, &[0, 1])], Malformed::Count),
        ("named_ping", &[(14, &[0xff, 0xff])], Malformed::Count),
        ("named_ping", &[(14, &[0, 0])], Malformed::Extension),
        ("named_ping", &[(2214, &[0, 4])], Malformed::Extension),
        ("named_ping", &[(2214, &[0, 2])], Malformed::Length),
        ("named_ping", &[(2253, &[0])], Malformed::Length),
        ("plain_ping", &[(40, b"A")], Malformed::Id),
        ("plain_ping", &[(2128, b"a")], Malformed::Id),
        ("plain_ping", &[(at_ip, &[b'1'; 46])], Malformed::Address),
        ("plain_ping", &[(at_ip, b"1.2.3.4 x")], Malformed::Address),
        ("plain_ping", &[(at_ip, b"1.2.3.4\n")], Malformed::Address),
        ("plain_ping", &[(at_ip, b"1,2")], Malformed::Address),
        ("plain_ping", &[(at_ip, &[0xff])], Malformed::Address),
        ("plain_ping", &[(at_body, &[0, 0, 0, 0])], Malformed::Extension),
        ("plain_ping", &[(at_body, &[0, 0, 0, 47])], Malformed::Extension),
        ("plain_ping", &[(at_body, &[0, 0, 0, 56])], Malformed::Extension),
        ("plain_ping", &[(at_body, &[0xff, 0xff, 0xff, 0xf8])], Malformed::Extension),
        // A shard that is none, and one that is taken for a host name without an end.
        ("plain_ping", &[(at_body + 8, b" ")], Malformed::Extension),
        ("plain_ping", &[(at_body + 4, &[0, 0])], Malformed::Extension),
        ("named_ping", &[(at_body, b"Z")], Malformed::Id),
        ("named_ping", &[(at_body + 48, b" ")], Malformed::Address),
        ("named_ping", &[(at_body + 104 + 8, b"a b")], Malformed::Extension),
        ("named_publish", &[(at_body + 3, &[200])], Malformed::Count),
        ("named_publish", &[(at_body, &[0xff; 8])], Malformed::Count),
        ("named_publish", &[(at_body + 7, &[3])], Malformed::Length),
        ("named_fail", &[(at_body, b"-")], Malformed::Id),
        ("named_fail", &[(at_body + 40, &[0])], Malformed::Length),
        ("named_update", &[(12, &[0, 3])], Malformed::Id),
        ("plain_ping", &[(12, &[0, 5])], Malformed::Length),
    ];
    for (name, patches, expected) in cases {
        let bytes = patched(name, patches);
        assert_eq!(decode(&bytes), Err(*expected), "{name} {patches:?}");
    }
    let bytes = golden("plain_ping");
    assert_eq!(decode(&bytes[..bytes.len() - 1]), Err(Malformed::Length));
    assert_eq!(decode(&bytes[..7]), Err(Malformed::Length));
    assert_eq!(decode(b""), Err(Malformed::Length));
}

#[test]
fn what_is_new_or_odd_in_a_heartbeat_does_not_spoil_it() {
    let at_body = HEADER_BYTES;
    let unknown = patched("plain_ping", &[(at_body + 4, &[0x7f, 1])]);
    assert_eq!(decode(&unknown).map(|p| heartbeat(&p.body).1), Ok(vec![]));
    // A human name that no line of nodes.conf can hold.
    let at_name = at_body + 104 + 8 + 24 + 8;
    assert_eq!(&golden("named_ping")[at_name..at_name + 7], b"shard-1");
    let odd = patched("named_ping", &[(at_name, b"a name")]);
    assert_eq!(decode(&odd).map(|p| heartbeat(&p.body).1.len()), Ok(2));
    // Unknown flags of the node and of the message, and bytes that mean nothing.
    let flags = patched("plain_ping", &[(2250, &[0xf8]), (2253, &[0xfc]), (2216, &[7; 30])]);
    assert_eq!(decode(&flags), decode(golden("plain_ping")));
}

fn any_id() -> impl Strategy<Value = NodeId> {
    any::<u64>().prop_map(|seed| NodeId::random(&mut Rng::seeded(seed)))
}

fn any_slots() -> impl Strategy<Value = SlotSet> {
    let slot = 0..crate::base::limits::SLOTS as u16;
    prop::collection::vec(slot, 0..20).prop_map(|slots| slots.into_iter().map(Slot).collect())
}

fn any_address() -> impl Strategy<Value = Address> {
    let ip = "([0-9a-f:.]{0,45}|[a-z.-]{1,20})";
    (ip, any::<u16>(), any::<u16>(), any::<u16>()).prop_map(|(ip, port, tls_port, bus_port)| {
        Address { ip: ip.into(), port, tls_port, bus_port }
    })
}

fn any_flags() -> impl Strategy<Value = NodeFlags> {
    any::<u16>().prop_map(NodeFlags::from_bits_truncate)
}

fn any_header() -> impl Strategy<Value = Header> {
    let numbers = (any::<u64>(), any::<u64>(), any::<u64>(), any::<bool>(), any::<u8>());
    let who = (any_id(), prop::option::of(any_id()), any_slots(), any_address(), any_flags());
    (numbers, who).prop_map(|(numbers, (sender, replica_of, slots, address, flags))| {
        let (current, config, offset, state_ok, message) = numbers;
        let mut message_flags = MessageFlags::from_bits_truncate(message);
        message_flags.remove(MessageFlags::EXTENSIONS);
        Header {
            sender,
            current_epoch: Epoch(current),
            config_epoch: Epoch(config),
            offset,
            slots,
            replica_of,
            address,
            flags,
            state_ok,
            message_flags,
        }
    })
}

fn any_gossip() -> impl Strategy<Value = Gossip> {
    (any_id(), any::<u32>(), any::<u32>(), any_address(), any_flags()).prop_map(
        |(node, ping_sent_s, pong_received_s, address, flags)| Gossip {
            node,
            ping_sent_s,
            pong_received_s,
            address,
            flags,
        },
    )
}

fn any_extension() -> impl Strategy<Value = Extension> {
    prop_oneof![
        "[a-zA-Z0-9.-]{0,255}".prop_map(|name| Extension::Hostname(name.into())),
        "[a-zA-Z0-9./_é-]{0,60}".prop_map(|name| Extension::HumanName(name.into())),
        (any_id(), any::<u64>()).prop_map(|(node, ttl_s)| Extension::Forgotten { node, ttl_s }),
        any::<u64>().prop_map(|seed| Extension::Shard(ShardId::random(&mut Rng::seeded(seed)))),
    ]
}

/// Bytes of channels and messages, all values among them.
static NOISE: [u8; 1024] = {
    let (mut noise, mut at) = ([0; 1024], 0);
    while at < noise.len() {
        noise[at] = (at * at + at / 7) as u8;
        at += 1;
    }
    noise
};

fn any_body() -> impl Strategy<Value = Body<'static>> {
    let kind = prop_oneof![Just(Heartbeat::Ping), Just(Heartbeat::Pong), Just(Heartbeat::Meet)];
    let gossip = prop::collection::vec(any_gossip(), 0..6);
    let extensions = prop::collection::vec(any_extension(), 0..6);
    let bytes = || (0..NOISE.len() - 300, 0..300usize).prop_map(|(at, len)| &NOISE[at..][..len]);
    prop_oneof![
        4 => (kind, gossip, extensions).prop_map(|(kind, gossip, extensions)| {
            Body::Heartbeat { kind, gossip, extensions }
        }),
        1 => any_id().prop_map(Body::Fail),
        1 => (any::<bool>(), bytes(), bytes()).prop_map(|(sharded, channel, message)| {
            Body::Publish { sharded, channel, message }
        }),
        1 => (any_id(), any::<u64>(), any_slots()).prop_map(|(node, epoch, slots)| {
            Body::Update { node, config_epoch: Epoch(epoch), slots }
        }),
        1 => prop_oneof![
            Just(Body::AuthRequest),
            Just(Body::AuthAck),
            Just(Body::MfStart),
            Just(Body::Module),
        ],
    ]
}

proptest! {
    #[test]
    fn packets_survive_the_way_there_and_back(header in any_header(), body in any_body()) {
        let bytes = encode(&header, &body);
        prop_assert_eq!(bytes.len(), encoded_len(&body));
        let packet = decode(&bytes).map_err(|e| TestCaseError::fail(e.to_string()))?;
        let mut expected = header;
        if matches!(&body, Body::Heartbeat { extensions, .. } if !extensions.is_empty()) {
            expected.message_flags |= MessageFlags::EXTENSIONS;
        }
        prop_assert_eq!(packet, Packet { header: expected, body });
    }

    /// Nothing that is accepted holds more than its bytes do, whatever happened to them.
    #[test]
    fn broken_packets_do_no_harm(
        which in 0..GOLDEN.len(),
        patches in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        counts in prop::option::of((any::<u16>(), any::<u16>())),
        length in prop_oneof![3 => Just(None), 1 => (0_usize..5000).prop_map(Some)],
        honest in any::<bool>(),
    ) {
        let mut bytes = GOLDEN[which].1.to_vec();
        if let Some((count, extensions)) = counts {
            bytes[14..16].copy_from_slice(&count.to_be_bytes());
            bytes[2214..2216].copy_from_slice(&extensions.to_be_bytes());
        }
        bytes.resize(length.unwrap_or(bytes.len()), 0);
        for (at, value) in patches {
            // Half of the patches hit what follows the slots, where it hurts.
            let from = if bytes.len() > 2128 && value & 1 == 0 { 2128 } else { 0 };
            if bytes.len() > from {
                let at = from + at.index(bytes.len() - from);
                bytes[at] = value;
            }
        }
        if honest && bytes.len() >= 8 {
            let length = bytes.len() as u32;
            bytes[4..8].copy_from_slice(&length.to_be_bytes());
        }
        if let Ok(packet) = decode(&bytes) {
            prop_assert!(encoded_len(&packet.body) <= bytes.len());
            if let Body::Heartbeat { gossip, extensions, .. } = &packet.body {
                let taken = gossip.capacity() * GOSSIP_BYTES;
                prop_assert!(taken <= bytes.len());
                prop_assert!(extensions.capacity() <= 4.max(bytes.len() / 8));
            }
        }
    }

    #[test]
    fn noise_is_refused(mut bytes in prop::collection::vec(any::<u8>(), 0..4000)) {
        prop_assert!(decode(&bytes).is_err());
        if bytes.len() >= 16 {
            let length = bytes.len() as u32;
            bytes[..4].copy_from_slice(SIGNATURE);
            bytes[4..8].copy_from_slice(&length.to_be_bytes());
            bytes[8..10].copy_from_slice(&[0, 1]);
            bytes[12] = 0;
            prop_assert!(decode(&bytes).is_err());
        }
    }
}
