//! DEBUG subcommands that test what clients make of replies.

use crate::dispatch::Context;
use crate::resp::{Error, Protocol, Reply};

const WRONG_TYPE: &str = "Wrong protocol type name. Please use one of the following: \
    string|integer|double|bignum|null|array|set|map|attrib|push|verbatim|true|false";

/// PROTOCOL type
pub(super) fn protocol(ctx: &mut Context<'_>) -> Result<(), Error> {
    let reply = &mut ctx.client.reply;
    match &*ctx.args.at(2).to_ascii_lowercase() {
        b"string" => reply.bulk(b"Hello World"),
        b"integer" => reply.int(12345),
        // Redis replies just this number.
        #[allow(clippy::approx_constant)]
        b"double" => reply.double(3.141),
        b"bignum" => reply.big_number(b"1234567999999999999999999999999999999"),
        b"null" => reply.null(),
        b"array" => {
            reply.array(3);
            (0..3).for_each(|n| reply.int(n));
        }
        b"set" => {
            reply.set(3);
            (0..3).for_each(|n| reply.int(n));
        }
        b"map" => {
            reply.map(3);
            for n in 0..3 {
                reply.int(n);
                reply.boolean(n == 1);
            }
        }
        b"attrib" => attribute(reply),
        b"push" => push(reply)?,
        b"true" => reply.boolean(true),
        b"false" => reply.boolean(false),
        b"verbatim" => reply.verbatim("txt", b"This is a verbatim\nstring"),
        _ => return Err(Error::err(WRONG_TYPE)),
    }
    Ok(())
}

fn attribute(reply: &mut Reply) {
    if reply.protocol == Protocol::Resp3 {
        reply.attribute(1);
        reply.bulk(b"key-popularity");
        reply.array(2);
        reply.bulk(b"key:123");
        reply.int(90);
    }
    // An attribute belongs to a reply.
    reply.bulk(b"Some real reply following the attribute");
}

fn push(reply: &mut Reply) -> Result<(), Error> {
    if reply.protocol == Protocol::Resp2 {
        return Err(Error::err("RESP2 is not supported by this command"));
    }
    // What is pushed while a command runs comes after its reply.
    reply.bulk(b"Some real reply following the push reply");
    reply.push(2);
    reply.bulk(b"server-cpu-usage");
    reply.int(42);
    Ok(())
}

/// ERROR string: sent as it is, and no error in the statistics.
pub(super) fn error(ctx: &mut Context<'_>) -> Result<(), Error> {
    let mut line = Vec::with_capacity(ctx.args.at(2).len() + 3);
    line.push(b'-');
    line.extend(ctx.args.at(2).iter().map(|&b| if matches!(b, b'\r' | b'\n') { b' ' } else { b }));
    line.extend_from_slice(b"\r\n");
    ctx.client.reply.raw(&line);
    Ok(())
}
