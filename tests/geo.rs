//! Geospatial commands over a socket: places, distances, searches, what is stored, and errors.

mod common;

use common::{Client, Node};

const WRONG_TYPE: &str =
    "(error) WRONGTYPE Operation against a key holding the wrong kind of value";
const SYNTAX: &str = "(error) ERR syntax error";

fn sicily(client: &mut Client) {
    client.expect(&[
        ("GEOADD Sicily 13.361389 38.115556 Palermo 15.087269 37.502669 Catania", "(integer) 2"),
        ("GEOADD Sicily 12.758489 38.788135 edge1 17.241510 38.788135 edge2", "(integer) 2"),
    ]);
}

#[test]
fn places_are_kept_and_measured() {
    let node = Node::start();
    let mut client = node.connect();
    sicily(&mut client);
    client.expect(&[
        ("GEOADD Sicily NX CH 1 1 Palermo", "(integer) 0"),
        ("GEOADD Sicily XX CH 1 1 none", "(integer) 0"),
        ("ZSCORE Sicily Palermo", "\"3479099956230698\""),
        ("TYPE Sicily", "zset"),
        ("GEODIST Sicily Palermo Catania", "\"166274.1516\""),
        ("GEODIST Sicily Palermo Catania km", "\"166.2742\""),
        ("GEODIST Sicily Palermo Catania MI", "\"103.3182\""),
        ("GEODIST Sicily Palermo Palermo", "\"0.0000\""),
        ("GEODIST Sicily Palermo none", "(nil)"),
        ("GEODIST none a b", "(nil)"),
        ("GEOHASH Sicily Palermo Catania none", "[\"sqc8b49rny0\", \"sqdtr74hyu0\", (nil)]"),
        (
            "GEOPOS Sicily Palermo none",
            "[[\"13.36138933897018433\", \"38.11555639549629859\"], (nil array)]",
        ),
        ("GEOPOS none a", "[(nil array)]"),
        ("GEOHASH none a", "[(nil)]"),
    ]);
}

#[test]
fn searches_find_what_is_near() {
    let node = Node::start();
    let mut client = node.connect();
    sicily(&mut client);
    client.expect(&[
        ("GEORADIUS Sicily 15 37 200 km ASC", "[\"Catania\", \"Palermo\"]"),
        ("GEORADIUS Sicily 15 37 200 km DESC COUNT 1", "[\"Palermo\"]"),
        ("GEORADIUS Sicily 15 37 100 km WITHDIST", "[[\"Catania\", \"56.4413\"]]"),
        ("GEORADIUS_RO Sicily 15 37 200 km COUNT 1", "[\"Catania\"]"),
        ("GEORADIUSBYMEMBER Sicily Palermo 170 km ASC", "[\"Palermo\", \"edge1\", \"Catania\"]"),
        ("GEORADIUSBYMEMBER_RO Sicily Palermo 1 m", "[\"Palermo\"]"),
        (
            "GEOSEARCH Sicily FROMLONLAT 15 37 BYBOX 400 400 km ASC WITHCOORD WITHDIST",
            "[[\"Catania\", \"56.4413\", [\"15.08726745843887329\", \"37.50266842333162032\"]], \
             [\"Palermo\", \"190.4424\", [\"13.36138933897018433\", \"38.11555639549629859\"]], \
             [\"edge2\", \"279.7403\", [\"17.24151045083999634\", \"38.78813451624225195\"]], \
             [\"edge1\", \"279.7405\", [\"12.7584877610206604\", \"38.78813451624225195\"]]]",
        ),
        (
            "GEOSEARCH Sicily FROMMEMBER Palermo BYRADIUS 1 m WITHHASH",
            "[[\"Palermo\", (integer) 3479099956230698]]",
        ),
        ("GEOSEARCH Sicily FROMLONLAT 0 0 BYRADIUS 1 km", "[]"),
        ("GEOSEARCH none FROMMEMBER x BYRADIUS 1 km", "[]"),
        ("GEORADIUSBYMEMBER none x 1 km", "[]"),
    ]);
    let any = client.run("GEOSEARCH Sicily FROMLONLAT 15 37 BYRADIUS 5000 km COUNT 2 ANY").texts();
    assert_eq!(any.len(), 2);
}

#[test]
fn results_are_stored() {
    let node = Node::start();
    let mut client = node.connect();
    sicily(&mut client);
    client.expect(&[
        ("GEOSEARCHSTORE to Sicily FROMLONLAT 15 37 BYRADIUS 200 km", "(integer) 2"),
        ("ZSCORE to Palermo", "\"3479099956230698\""),
        ("GEOSEARCHSTORE to Sicily FROMMEMBER Palermo BYRADIUS 100 km STOREDIST", "(integer) 2"),
        ("ZSCORE to Palermo", "\"0\""),
        ("GEORADIUS Sicily 15 37 100 km STORE to", "(integer) 1"),
        ("ZRANGE to 0 -1 WITHSCORES", "[\"Catania\", \"3479447370796909\"]"),
        ("GEORADIUSBYMEMBER Sicily Catania 1 km STOREDIST to", "(integer) 1"),
        ("ZSCORE to Catania", "\"0\""),
        ("GEORADIUS Sicily 0 0 1 km STORE to", "(integer) 0"),
        ("EXISTS to", "(integer) 0"),
        ("GEOSEARCHSTORE to Sicily FROMLONLAT 15 37 BYBOX 9 9 km", "(integer) 0"),
        ("SET to v", "OK"),
        ("GEOSEARCHSTORE to none FROMLONLAT 15 37 BYBOX 9 9 km", "(integer) 0"),
        ("EXISTS to", "(integer) 0"),
    ]);
}

#[test]
fn errors_are_those_of_redis() {
    let node = Node::start();
    let mut client = node.connect();
    sicily(&mut client);
    client.run("SET s v");
    let unit = "(error) ERR unsupported unit provided. please use M, KM, FT, MI";
    let from = "exactly one of FROMMEMBER or FROMLONLAT can be specified for";
    let by = "exactly one of BYRADIUS and BYBOX can be specified for";
    let with = "is not compatible with WITHDIST, WITHHASH and WITHCOORD options";
    client.expect(&[
        ("GEOADD s 1 1 a", WRONG_TYPE),
        ("GEOPOS s a", WRONG_TYPE),
        ("GEOHASH s a", WRONG_TYPE),
        ("GEODIST s a b", WRONG_TYPE),
        ("GEOSEARCH s WHAT EVER IT IS NOW", WRONG_TYPE),
        ("GEORADIUS s x y z m", WRONG_TYPE),
        ("GEOADD g 1 1", "(error) ERR wrong number of arguments for 'geoadd' command"),
        ("GEOADD g 1 1 a 2", SYNTAX),
        ("GEOADD g NX XX 1 1 a", SYNTAX),
        ("GEOADD g x 1 a", "(error) ERR value is not a valid float"),
        ("GEOADD g 181 1 a", "(error) ERR invalid longitude,latitude pair 181.000000,1.000000"),
        ("GEOADD g 1 1 a 1 86 b", "(error) ERR invalid longitude,latitude pair 1.000000,86.000000"),
        ("EXISTS g", "(integer) 0"),
        ("GEODIST Sicily Palermo Catania yd", unit),
        ("GEODIST Sicily Palermo Catania m x", SYNTAX),
        ("GEORADIUS Sicily 15 37 x km", "(error) ERR need numeric radius"),
        ("GEORADIUS Sicily 15 37 -1 km", "(error) ERR radius cannot be negative"),
        ("GEORADIUS Sicily 15 37 1 yd", unit),
        ("GEORADIUS Sicily 15 37 1 km COUNT 0", "(error) ERR COUNT must be > 0"),
        ("GEORADIUS Sicily 15 37 1 km ANY", "(error) ERR the ANY argument requires COUNT argument"),
        ("GEORADIUS Sicily 15 37 1 km WHAT", SYNTAX),
        ("GEORADIUS_RO Sicily 15 37 1 km STORE to", SYNTAX),
        (
            "GEORADIUS Sicily 15 37 1 km STORE to WITHDIST",
            &format!("(error) ERR STORE option in GEORADIUS {with}"),
        ),
        (
            "GEORADIUSBYMEMBER Sicily none 1 km",
            "(error) ERR could not decode requested zset member",
        ),
        (
            "GEOSEARCH Sicily FROMMEMBER none BYRADIUS 1 km",
            "(error) ERR could not decode requested zset member",
        ),
        ("geoSearch Sicily BYRADIUS 1 km ASC WITHDIST", &format!("(error) ERR {from} geoSearch")),
        ("GEOSEARCH Sicily FROMLONLAT 1 1 ASC WITHDIST", &format!("(error) ERR {by} GEOSEARCH")),
        ("GEOSEARCH Sicily FROMLONLAT 1 1 FROMMEMBER Palermo BYRADIUS 1 m", SYNTAX),
        ("GEOSEARCH Sicily FROMLONLAT 1 1 BYRADIUS 1 m BYBOX 1 1 m", SYNTAX),
        ("GEOSEARCH Sicily FROMLONLAT 1 1 BYBOX x 1 m", "(error) ERR need numeric width"),
        ("GEOSEARCH Sicily FROMLONLAT 1 1 BYBOX 1 x m", "(error) ERR need numeric height"),
        (
            "GEOSEARCH Sicily FROMLONLAT 1 1 BYBOX 1 -1 m",
            "(error) ERR height or width cannot be negative",
        ),
        (
            "GEOSEARCHSTORE to Sicily FROMLONLAT 1 1 BYRADIUS 1 m WITHHASH",
            &format!("(error) ERR GEOSEARCHSTORE {with}"),
        ),
        ("GEOSEARCH Sicily FROMLONLAT 1 1 BYRADIUS 1 m STOREDIST", SYNTAX),
    ]);
}

#[test]
fn coordinates_are_doubles_in_resp3() {
    let node = Node::start();
    let mut client = node.connect_resp3();
    client.run("GEOADD g 0 0 a");
    let reply = client.run_raw("GEOPOS g a none");
    assert_eq!(reply, "*2\r\n*2\r\n,0.00000268220901489\r\n,0.00000126736058093\r\n_\r\n");
    assert_eq!(client.run_raw("GEODIST g a a"), "$6\r\n0.0000\r\n");
}
