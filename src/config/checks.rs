//! What a text must be like to be taken by a directive. Pure.

/// Longest host name, terminator included (Redis: NET_HOST_STR_LEN).
const HOST_NAME_BYTES: usize = 256;

type Check = Result<(), &'static str>;

fn is_base_name(name: &[u8]) -> bool {
    !name.iter().any(|b| matches!(b, b'/' | b'\\'))
}

pub(crate) fn dbfilename(name: &[u8]) -> Check {
    is_base_name(name).then_some(()).ok_or("dbfilename can't be a path, just a filename")
}

pub(crate) fn appendfilename(name: &[u8]) -> Check {
    if name.is_empty() {
        return Err("appendfilename can't be empty");
    }
    is_base_name(name).then_some(()).ok_or("appendfilename can't be a path, just a filename")
}

pub(crate) fn appenddirname(name: &[u8]) -> Check {
    if name.is_empty() {
        return Err("appenddirname can't be empty");
    }
    is_base_name(name).then_some(()).ok_or("appenddirname can't be a path, just a dirname")
}

pub(crate) fn announced_hostname(name: &[u8]) -> Check {
    if name.len() >= HOST_NAME_BYTES {
        return Err("Hostnames must be less than 256 characters");
    }
    let valid = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.');
    name.iter()
        .all(valid)
        .then_some(())
        .ok_or("Hostnames may only contain alphanumeric characters, hyphens or dots")
}

pub(crate) fn announced_nodename(name: &[u8]) -> Check {
    let valid = |b: &u8| !b"!#$%&()*+:;<>?@[]^{|}~".contains(b);
    name.iter()
        .all(valid)
        .then_some(())
        .ok_or("Announced human node name contained invalid character")
}

pub(crate) fn proc_title_template(template: &[u8]) -> Check {
    let expanded = super::title::expand(template, |variable| {
        super::title::VARIABLES.contains(&variable).then(|| match variable {
            // An empty title, and a node that is neither cluster nor sentinel, are what Redis tries
            // with.
            b"title" | b"server-mode" => Vec::new(),
            other => other.to_vec(),
        })
    });
    expanded
        .filter(|title| !title.is_empty())
        .map(|_| ())
        .ok_or("template format is invalid or contains unknown variables")
}
