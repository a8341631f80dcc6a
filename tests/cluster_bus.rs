//! The cluster bus and nodes.conf from outside: nodes that meet, stop and come back, files that
//! are damaged, locked or cannot be written, and peers that mean harm.

mod common;

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use common::cluster::{Member, start_cluster, wait_for_cluster};
use common::wait_until;
use redis_rust::Server;
use redis_rust::base::rng::Rng;

const PATIENCE: Duration = Duration::from_secs(20);

/// For nodes that a test debugs.
const DEBUG: (&str, &str) = ("enable-debug-command", "yes");

fn bus(member: &Member) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", member.bus_port())).expect("the bus accepts");
    stream.set_read_timeout(Some(PATIENCE)).expect("timeout");
    stream
}

/// Whether the other end has closed the connection, perhaps after it sent something.
fn is_closed(stream: &mut TcpStream) -> bool {
    let mut scratch = [0; 4096];
    loop {
        match stream.read(&mut scratch) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) => return error.kind() == std::io::ErrorKind::ConnectionReset,
        }
    }
}

/// The header of a packet of this kind and length, and nothing behind it.
fn frame(kind: u16, length: u32) -> Vec<u8> {
    let mut bytes = b"RCmb".to_vec();
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(&1u16.to_be_bytes());
    bytes.extend_from_slice(&7000u16.to_be_bytes());
    bytes.extend_from_slice(&kind.to_be_bytes());
    bytes
}

#[test]
fn nodes_form_a_cluster_and_come_back_as_who_they_were() {
    let mut members = start_cluster(3, &[]);
    let ids: Vec<String> = members.iter().map(Member::id).collect();
    let mut client = members[0].connect();
    assert_eq!(client.ask(&format!("CLUSTER SETSLOT 5 MIGRATING {}", ids[1])), "OK");
    assert_eq!(client.ask(&format!("CLUSTER SETSLOT 6000 IMPORTING {}", ids[1])), "OK");
    assert_eq!(members[0].info("cluster_connections"), "4");
    assert!(members[0].info("mem_cluster_links").parse::<usize>().unwrap() > 0);

    members[0].stop();
    members[0].go_on().unwrap();
    wait_for_cluster(&members);
    assert_eq!(members[0].id(), ids[0]);
    let me = members[0].nodes().into_iter().find(|line| line[2].starts_with("myself")).unwrap();
    assert_eq!(me[6], "1");
    let slots = format!("0-5460 [5->-{}] [6000-<-{}]", ids[1], ids[1]);
    assert_eq!(me[8..].join(" "), slots);
    // Others follow to the new address.
    let port = members[0].port();
    for other in &members[1..] {
        wait_until("the new address is known", || {
            let nodes = other.nodes();
            let line = nodes.iter().find(|line| line[0] == ids[0]).expect("a line");
            line[1].starts_with(&format!("127.0.0.1:{port}@{}", members[0].bus_port()))
        });
    }
}

#[test]
fn a_reply_comes_after_the_file() {
    let member = Member::start(&[]);
    let mut client = member.connect();
    for slot in 0..20 {
        assert_eq!(client.ask(&format!("CLUSTER ADDSLOTS {slot}")), "OK");
        let text = fs::read_to_string(member.nodes_conf()).unwrap();
        let expected = if slot == 0 { " 0\n".to_string() } else { format!(" 0-{slot}\n") };
        assert!(text.contains(&expected), "{text}");
    }
}

#[test]
fn a_damaged_file_stops_the_start_and_stays_as_it_is() {
    let mut member = Member::start(&[]);
    member.stop();
    let good = fs::read_to_string(member.nodes_conf()).unwrap();
    let cases = [
        (good.replace("myself,master", "myself,mister"), "line 1: unknown flag: "),
        (good.replace("vars", "verse"), "line 2: too few fields: "),
        (good.replace("myself,", ""), "no line is flagged as myself"),
        (good[..good.len() / 4].to_string(), "line 1: too few fields: "),
        ("\0".repeat(100), "line 1: zero byte: "),
    ];
    for (damaged, reason) in cases {
        fs::write(member.nodes_conf(), &damaged).unwrap();
        let refused = member.go_on().expect_err("damaged");
        let file = format!("corrupted cluster config file \"{}\"", member.nodes_conf().display());
        assert!(refused.starts_with("Unrecoverable error: "), "{refused}");
        assert!(refused.contains(&file) && refused.contains(reason), "{refused}");
        assert_eq!(fs::read_to_string(member.nodes_conf()).unwrap(), damaged);
    }
    fs::write(member.nodes_conf(), &good).unwrap();
    member.go_on().unwrap();
    assert!(good.starts_with(&member.id()));
}

#[test]
fn an_empty_file_is_that_of_a_new_node() {
    let mut member = Member::start(&[]);
    let id = member.id();
    member.stop();
    fs::write(member.nodes_conf(), "").unwrap();
    member.go_on().unwrap();
    assert_ne!(member.id(), id);
    assert!(fs::read_to_string(member.nodes_conf()).unwrap().starts_with(&member.id()));
}

#[test]
fn a_directory_has_one_node() {
    let member = Member::start(&[]);
    let refused = |member: &Member| Server::bind(member.config()).err().map(|e| e.to_string());
    let words = refused(&member).expect("the file is locked");
    assert!(words.contains("is already used by a different Redis Cluster node. Please"), "{words}");
    // The file was replaced meanwhile.
    assert_eq!(member.connect().ask("CLUSTER ADDSLOTS 1"), "OK");
    assert!(refused(&member).is_some());
    // Redis asks in the same way.
    assert!(File::open(member.nodes_conf()).unwrap().try_lock().is_err());
}

#[test]
fn a_node_that_cannot_save_goes_on_and_tries_again() {
    let member = Member::start(&[]);
    let file = member.nodes_conf();
    let in_the_way = member.directory().join("nodes.conf.tmp");
    let mut client = member.connect();
    // What follows the start has been saved once something is answered.
    assert_eq!(client.ask("PING"), "PONG");
    fs::create_dir(&in_the_way).unwrap();
    let before = fs::read_to_string(&file).unwrap();
    assert_eq!(client.ask("CLUSTER ADDSLOTS 1 2 3"), "OK");
    let words = "(error) ERR error saving the cluster node config: Is a directory";
    assert_eq!(client.ask("CLUSTER SAVECONFIG"), words);
    assert_eq!(fs::read_to_string(&file).unwrap(), before);
    assert_eq!(client.ask("PING"), "PONG");
    fs::remove_dir(&in_the_way).unwrap();
    wait_until("the file is written", || fs::read_to_string(&file).unwrap().contains(" 1-3\n"));
    assert_eq!(client.ask("CLUSTER SAVECONFIG"), "OK");
}

#[test]
fn a_node_outlives_its_directory() {
    let member = Member::start(&[]);
    fs::remove_dir_all(member.directory()).unwrap();
    let mut client = member.connect();
    assert_eq!(client.ask("CLUSTER ADDSLOTS 7"), "OK");
    assert!(client.run("CLUSTER SAVECONFIG").is_error());
    fs::create_dir(member.directory()).unwrap();
    wait_until("the file is written", || {
        fs::read_to_string(member.nodes_conf()).is_ok_and(|text| text.contains(" 7\n"))
    });
}

#[test]
fn ports_that_the_bus_cannot_have_stop_the_start() {
    let directory = tempfile::tempdir().unwrap();
    let config = |port: u16| {
        let config = redis_rust::Config::default().bind(["127.0.0.1"]).port(port);
        config.cluster(directory.path()).unwrap()
    };
    let refused = |config| Server::bind(config).err().expect("no bus").to_string();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let config_with_bus = config(0).set("cluster-port", port.to_string()).unwrap();
    let words = format!("Failed listening on port {port} (cluster), aborting.");
    assert_eq!(refused(config_with_bus), words);
    let high = (55_536..=65_535).find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok());
    let words = refused(config(high.expect("a free port")));
    assert!(words.starts_with("Redis port number too high. Cluster communication port is 10,000"));
    assert!(words.ends_with("Your Redis port number must be 55535 or less."));
}

#[test]
fn what_is_announced_can_change_at_any_time() {
    let member = Member::start(&[("cluster-announce-hostname", "one.example")]);
    let mut client = member.connect();
    let (port, bus) = (member.port(), member.bus_port());
    assert_eq!(member.nodes()[0][1], format!(":{port}@{bus},one.example"));
    client.expect(&[
        ("CONFIG SET cluster-announce-ip 10.1.2.3 cluster-announce-port 7000", "OK"),
        ("CONFIG SET cluster-announce-bus-port 7001 cluster-announce-hostname two.example", "OK"),
        ("CONFIG SET cluster-announce-human-nodename two", "OK"),
    ]);
    assert_eq!(member.nodes()[0][1], "10.1.2.3:7000@7001,two.example");
    wait_until("the file is written", || {
        let text = fs::read_to_string(member.nodes_conf()).unwrap();
        text.contains(" 10.1.2.3:7000@7001,two.example,tls-port=0,nodename=two,shard-id=")
    });
    let back = "CONFIG SET cluster-announce-port 0 cluster-announce-bus-port 0";
    assert_eq!(client.ask(back), "OK");
    let address = format!("10.1.2.3:{port}@{bus},two.example");
    assert_eq!(member.nodes()[0][1], address);
    assert_eq!(client.ask("CONFIG SET cluster-replica-no-failover yes"), "OK");
    assert_eq!(member.nodes()[0][2], "myself,master,nofailover");
}

#[test]
fn the_file_follows_the_directory() {
    let member = Member::start(&[("enable-protected-configs", "yes")]);
    let new = tempfile::tempdir().unwrap();
    let file = new.path().join("nodes.conf");
    let mut client = member.connect();
    assert_eq!(client.ask(&format!("CONFIG SET dir {}", new.path().display())), "OK");
    assert!(fs::read_to_string(&file).unwrap().starts_with(&member.id()));
    assert_eq!(client.ask("CLUSTER ADDSLOTS 9"), "OK");
    assert!(fs::read_to_string(&file).unwrap().contains(" 9\n"));
    // Where another node lives there is no place.
    let other = Member::start(&[]);
    assert!(client.run(&format!("CONFIG SET dir {}", other.directory().display())).is_error());
    assert_eq!(client.run("CONFIG GET dir").texts()[1], new.path().display().to_string());
    assert_eq!(client.ask("CLUSTER SAVECONFIG"), "OK");
    assert!(fs::read_to_string(other.nodes_conf()).unwrap().starts_with(&other.id()));
}

#[test]
fn links_that_were_killed_come_back() {
    let members = start_cluster(2, &[DEBUG]);
    let id = members[1].id();
    let mut client = members[0].connect();
    client.expect(&[
        ("DEBUG CLUSTERLINK KILL TO what", "(error) ERR Unknown node what"),
        (
            &format!("DEBUG CLUSTERLINK KILL sideways {id}"),
            "(error) ERR Unknown direction sideways",
        ),
    ]);
    let times = |member: &Member| -> Vec<(String, i64)> {
        let reply = member.connect().run("CLUSTER LINKS");
        let link = |link: &common::Reply| {
            let fields = link.items();
            (fields[1].text(), fields[5].int())
        };
        let mut times: Vec<_> = reply.items().iter().map(link).collect();
        times.sort();
        times
    };
    let before = times(&members[0]);
    // Creation times are in milliseconds.
    std::thread::sleep(Duration::from_millis(2));
    assert_eq!(client.ask(&format!("DEBUG CLUSTERLINK KILL ALL {id}")), "OK");
    wait_until("both links are back", || times(&members[0]).len() == 2);
    let after = times(&members[0]);
    assert!(before.iter().zip(&after).all(|(old, new)| new.1 > old.1), "{before:?} {after:?}");
    wait_for_cluster(&members);
}

#[test]
fn links_over_their_limit_are_closed_and_come_back() {
    let members = start_cluster(2, &[]);
    let mut client = members[0].connect();
    assert_eq!(client.ask("CONFIG SET cluster-link-sendbuf-limit 1"), "OK");
    let exceeded = "total_cluster_links_buffer_limit_exceeded";
    wait_until("links are closed", || members[0].cluster_info(exceeded) != "0");
    assert_eq!(client.ask("CONFIG SET cluster-link-sendbuf-limit 0"), "OK");
    wait_for_cluster(&members);
}

#[test]
fn packets_that_a_filter_drops_are_not_heard() {
    let members = start_cluster(2, &[DEBUG, ("cluster-node-timeout", "500")]);
    // Pings that are not heard are not answered.
    for member in &members {
        assert_eq!(member.connect().ask("DEBUG DROP-CLUSTER-PACKET-FILTER 0"), "OK");
    }
    let fails = |member: &Member| member.nodes().iter().any(|line| line[2].contains("fail"));
    wait_until("a node is missed", || members.iter().all(fails));
    for member in &members {
        assert_eq!(member.connect().ask("DEBUG DROP-CLUSTER-PACKET-FILTER -1"), "OK");
    }
    wait_for_cluster(&members);
}

#[test]
fn the_cluster_keeps_its_pace_at_any_hz() {
    let members = start_cluster(2, &[("hz", "1")]);
    let sent = || {
        let count = members[0].cluster_info("cluster_stats_messages_ping_sent");
        count.parse::<u64>().unwrap()
    };
    let before = sent();
    wait_until("nodes are pinged", || sent() >= before + 2);
}

#[test]
fn bytes_that_are_no_packets_close_the_link() {
    let member = Member::start(&[]);
    let mut rng = Rng::seeded(5);
    let mut cases: Vec<Vec<u8>> = vec![
        b"GET / HTTP/1.1\r\n\r\n".to_vec(),
        b"*1\r\n$4\r\nPING\r\n".to_vec(),
        frame(0, 0),
        frame(0, 8),
        frame(0, u32::MAX),
        frame(4, u32::MAX),
        frame(0, 16 * 1024 * 1024),
        frame(4, 1024 * 1024 * 1024),
    ];
    cases
        .extend((0..50).map(|_| (0..64 + rng.below(4000)).map(|_| rng.below(256) as u8).collect()));
    for case in cases {
        let mut stream = bus(&member);
        stream.write_all(&case).unwrap();
        assert!(is_closed(&mut stream), "{:?}", &case[..8]);
    }
    assert_eq!(member.connect().ask("PING"), "PONG");
    wait_until("links are gone", || member.info("mem_cluster_links") == "0");
}

#[test]
fn packets_in_any_pieces_are_put_together() {
    let member = Member::start(&[]);
    let packet = fs::read("tests/data/bus/plain_ping.bin").unwrap();
    let received = || {
        let stats = member.connect().run("CLUSTER INFO").text();
        let line = stats
            .lines()
            .find_map(|line| line.strip_prefix("cluster_stats_messages_ping_received:"));
        line.map_or(0, |count| count.parse::<usize>().unwrap())
    };
    let mut stream = bus(&member);
    stream.set_nodelay(true).unwrap();
    for piece in packet.chunks(1 + packet.len() / 300) {
        stream.write_all(piece).unwrap();
        std::thread::sleep(Duration::from_micros(200));
    }
    wait_until("the packet has arrived", || received() == 1);
    // Many at once, cut somewhere.
    let many = packet.repeat(1000);
    let mut reader = stream.try_clone().unwrap();
    let drain = std::thread::spawn(move || is_closed(&mut reader));
    let (head, tail) = many.split_at(many.len() / 2 + 77);
    stream.write_all(head).unwrap();
    std::thread::sleep(Duration::from_millis(5));
    stream.write_all(tail).unwrap();
    wait_until("all packets have arrived", || received() == 1001);
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    assert!(drain.join().unwrap());
    wait_until("the link is gone", || member.info("mem_cluster_links") == "0");
}

#[test]
fn peers_that_never_finish_cost_little() {
    let member = Member::start(&[]);
    let mut held = Vec::new();
    for index in 0..1500usize {
        let mut stream = bus(&member);
        if index % 2 == 0 {
            // What is claimed costs nothing, only what has arrived.
            let mut begun = frame(0, 200 * 1024);
            begun.resize(1000, 0);
            let _ = stream.write_all(&begun);
        }
        held.push(stream);
    }
    let started = Instant::now();
    assert_eq!(member.connect().ask("PING"), "PONG");
    assert!(started.elapsed() < PATIENCE);
    wait_until("the oldest had to go", || {
        let bytes: usize = member.info("mem_cluster_links").parse().unwrap();
        bytes > 0 && bytes < 4 * 1024 * 1024
    });
    assert!(is_closed(&mut held[0]));
    // Room is left for nodes.
    let other = Member::start(&[]);
    other.meet(&member);
    wait_until("nodes meet in spite of them", || other.sees(1));
}

#[test]
fn who_asks_without_reading_is_cut_off() {
    let member = Member::start(&[]);
    let packet = fs::read("tests/data/bus/plain_ping.bin").unwrap().repeat(100);
    let mut stream = bus(&member);
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    // Every ping is answered; nobody reads the answers.
    let mut sent = 0;
    let error = loop {
        match stream.write(&packet) {
            Ok(n) => sent += n,
            Err(error) => break error,
        }
        assert!(sent < 1 << 30, "the node reads for ever");
    };
    assert_ne!(error.kind(), std::io::ErrorKind::WouldBlock, "{error}");
    let bytes: usize = member.info("mem_cluster_links").parse().unwrap();
    assert!(bytes < 4 * 1024 * 1024, "{bytes}");
    assert_eq!(member.connect().ask("PING"), "PONG");
}
