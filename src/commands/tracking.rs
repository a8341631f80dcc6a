//! CLIENT TRACKING, CACHING, TRACKINGINFO and GETREDIR: a client that keeps copies of what it has
//! read asks to be told when that changes. What follows from it is `core::tracking`'s.

use std::collections::BTreeSet;

use crate::core::tracking::{ClientTracking, TrackingMode};
use crate::core::{Client, ClientId};
use crate::dispatch::{Context, Cursor};
use crate::resp::Error;

/// The options of CLIENT TRACKING, which need not fit each other.
#[derive(Debug, Default)]
struct Options<'a> {
    redirect: Option<ClientId>,
    prefixes: Vec<&'a [u8]>,
    bcast: bool,
    optin: bool,
    optout: bool,
    noloop: bool,
}

impl<'a> Options<'a> {
    fn parse(mut args: Cursor<'a>, is_connected: impl Fn(ClientId) -> bool) -> Result<Self, Error> {
        let mut options = Options::default();
        while args.remaining() > 0 {
            match () {
                () if args.remaining() > 1 && args.take_word("REDIRECT") => {
                    if options.redirect.is_some() {
                        return Err(Error::err(
                            "A client can only redirect to a single other client",
                        ));
                    }
                    let id = ClientId(args.expect_i64()? as u64);
                    if !is_connected(id) {
                        return Err(Error::err(
                            "The client ID you want redirect to does not exist",
                        ));
                    }
                    options.redirect = Some(id);
                }
                () if args.remaining() > 1 && args.take_word("PREFIX") => {
                    options.prefixes.push(args.expect()?);
                }
                () if args.take_word("BCAST") => options.bcast = true,
                () if args.take_word("OPTIN") => options.optin = true,
                () if args.take_word("OPTOUT") => options.optout = true,
                () if args.take_word("NOLOOP") => options.noloop = true,
                () => return Err(Error::Syntax),
            }
        }
        Ok(options)
    }

    /// The mode that the options ask for, if they fit each other and the mode that the client is
    /// in.
    fn mode(&self, current: Option<&TrackingMode>) -> Result<TrackingMode, Error> {
        if !self.bcast && !self.prefixes.is_empty() {
            return Err(Error::err("PREFIX option requires BCAST mode to be enabled"));
        }
        let broadcasts = matches!(current, Some(TrackingMode::Broadcast(_)));
        if current.is_some() && broadcasts != self.bcast {
            return Err(cannot_switch("BCAST mode on/off"));
        }
        if self.bcast && (self.optin || self.optout) {
            return Err(Error::err("OPTIN and OPTOUT are not compatible with BCAST"));
        }
        if self.optin && self.optout {
            return Err(Error::err("You can't specify both OPTIN mode and OPTOUT mode"));
        }
        match current {
            Some(TrackingMode::OptOut { .. }) if self.optin => {
                Err(cannot_switch("OPTIN/OPTOUT mode"))
            }
            Some(TrackingMode::OptIn { .. }) if self.optout => {
                Err(cannot_switch("OPTIN/OPTOUT mode"))
            }
            Some(TrackingMode::Broadcast(existing)) => self.broadcast(existing),
            _ if self.bcast => self.broadcast(&BTreeSet::new()),
            _ if self.optin => Ok(TrackingMode::OptIn { caching: None }),
            _ if self.optout => Ok(TrackingMode::OptOut { caching: None }),
            _ => Ok(TrackingMode::Read),
        }
    }

    fn broadcast(&self, existing: &BTreeSet<Box<[u8]>>) -> Result<TrackingMode, Error> {
        for (index, prefix) in self.prefixes.iter().enumerate() {
            if let Some(other) = existing.iter().find(|other| overlap(other, prefix)) {
                return Err(overlapping(prefix, "an existing", other));
            }
            if let Some(other) = self.prefixes[index + 1..].iter().find(|o| overlap(o, prefix)) {
                return Err(overlapping(prefix, "another provided", other));
            }
        }
        let mut prefixes: BTreeSet<Box<[u8]>> =
            self.prefixes.iter().map(|prefix| (*prefix).into()).collect();
        if prefixes.is_empty() {
            prefixes.insert(Box::default());
        }
        Ok(TrackingMode::Broadcast(prefixes))
    }
}

fn cannot_switch(what: &str) -> Error {
    Error::err(format_args!(
        "You can't switch {what} before disabling tracking for this client, and then re-enabling \
         it with a different mode."
    ))
}

/// Whether there are keys that begin with both.
fn overlap(a: &[u8], b: &[u8]) -> bool {
    a.starts_with(b) || b.starts_with(a)
}

fn overlapping(prefix: &[u8], which: &str, other: &[u8]) -> Error {
    let (prefix, other) = (String::from_utf8_lossy(prefix), String::from_utf8_lossy(other));
    Error::err(format_args!(
        "Prefix '{prefix}' overlaps with {which} prefix '{other}'. Prefixes for a single client \
         must not overlap."
    ))
}

/// CLIENT TRACKING ON | OFF [REDIRECT client-id] [PREFIX prefix [PREFIX prefix …]] [BCAST] [OPTIN]
/// [OPTOUT] [NOLOOP]
pub fn client_tracking(ctx: &mut Context<'_>) -> Result<(), Error> {
    let clients = &ctx.core.clients;
    let options = Options::parse(ctx.cursor(3), |id| clients.token_of(id).is_some())?;
    let status = ctx.args.at(2);
    if status.eq_ignore_ascii_case(b"on") {
        let settings = ClientTracking {
            mode: options.mode(ctx.client.tracking.as_ref().map(|tracking| &tracking.mode))?,
            redirect: options.redirect,
            redirect_broken: false,
            noloop: options.noloop,
        };
        ctx.core.enable_tracking(ctx.client, settings);
    } else if status.eq_ignore_ascii_case(b"off") {
        ctx.core.disable_tracking(ctx.client);
    } else {
        return Err(Error::Syntax);
    }
    ctx.client.reply.ok();
    Ok(())
}

/// CLIENT CACHING YES | NO
pub fn client_caching(ctx: &mut Context<'_>) -> Result<(), Error> {
    let said_in = ctx.container();
    let Some(tracking) = &mut ctx.client.tracking else {
        return Err(Error::err(
            "CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or \
             OPTOUT mode enabled",
        ));
    };
    let choice = ctx.args.at(2);
    match &mut tracking.mode {
        TrackingMode::OptIn { caching } if choice.eq_ignore_ascii_case(b"yes") => {
            *caching = said_in;
        }
        TrackingMode::OptOut { caching } if choice.eq_ignore_ascii_case(b"no") => {
            *caching = said_in;
        }
        _ if choice.eq_ignore_ascii_case(b"yes") => return Err(wrong_choice("YES", "OPTIN")),
        _ if choice.eq_ignore_ascii_case(b"no") => return Err(wrong_choice("NO", "OPTOUT")),
        _ => return Err(Error::Syntax),
    }
    ctx.client.reply.ok();
    Ok(())
}

fn wrong_choice(choice: &str, mode: &str) -> Error {
    Error::err(format_args!(
        "CLIENT CACHING {choice} is only valid when tracking is enabled in {mode} mode."
    ))
}

/// CLIENT GETREDIR
pub fn client_getredir(ctx: &mut Context<'_>) -> Result<(), Error> {
    let redirect = ctx.client.redirect_number();
    ctx.client.reply.int(redirect);
    Ok(())
}

/// CLIENT TRACKINGINFO
pub fn client_trackinginfo(ctx: &mut Context<'_>) -> Result<(), Error> {
    let redirect = ctx.client.redirect_number();
    let words = status_words(ctx.client);
    let Client { reply, tracking, .. } = &mut *ctx.client;
    reply.map(3);
    reply.bulk(b"flags");
    reply.set(words.len());
    words.iter().for_each(|word| reply.bulk(word.as_bytes()));
    reply.bulk(b"redirect");
    reply.int(redirect);
    reply.bulk(b"prefixes");
    match tracking.as_ref().map(|tracking| &tracking.mode) {
        Some(TrackingMode::Broadcast(prefixes)) => {
            reply.array(prefixes.len());
            prefixes.iter().for_each(|prefix| reply.bulk(prefix));
        }
        _ => reply.array(0),
    }
    Ok(())
}

/// What CLIENT TRACKINGINFO calls flags.
fn status_words(client: &Client) -> Vec<&'static str> {
    let Some(tracking) = &client.tracking else { return vec!["off"] };
    let mode: &[&'static str] = match &tracking.mode {
        TrackingMode::Read => &[],
        TrackingMode::OptIn { caching: None } => &["optin"],
        TrackingMode::OptIn { caching: Some(_) } => &["optin", "caching-yes"],
        TrackingMode::OptOut { caching: None } => &["optout"],
        TrackingMode::OptOut { caching: Some(_) } => &["optout", "caching-no"],
        TrackingMode::Broadcast(_) => &["bcast"],
    };
    let mut words = vec!["on"];
    words.extend_from_slice(mode);
    if tracking.noloop {
        words.push("noloop");
    }
    if tracking.redirect_broken {
        words.push("broken_redirect");
    }
    words
}
