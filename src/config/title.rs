//! The process title: the template language of `proc-title-template`. Pure; the node shows the
//! result.

use super::Config;

/// Variables that a template may name.
pub(crate) const VARIABLES: [&[u8]; 7] =
    [b"title", b"listen-addr", b"server-mode", b"config-file", b"port", b"tls-port", b"unixsocket"];

/// Replaces `{variable}` by what `value` says and `{{` by `{`; spaces around the result go. `None`
/// when a brace is left open or a variable has no value.
pub(crate) fn expand(template: &[u8], value: impl Fn(&[u8]) -> Option<Vec<u8>>) -> Option<Vec<u8>> {
    let mut title = Vec::new();
    let mut rest = template;
    while let Some(brace) = memchr::memchr(b'{', rest) {
        title.extend_from_slice(&rest[..brace]);
        rest = &rest[brace + 1..];
        if let Some(after) = rest.strip_prefix(b"{") {
            title.push(b'{');
            rest = after;
            continue;
        }
        let end = memchr::memchr(b'}', rest)?;
        title.extend_from_slice(&value(&rest[..end])?);
        rest = &rest[end + 1..];
    }
    title.extend_from_slice(rest);
    let start = title.iter().position(|b| *b != b' ').unwrap_or(title.len());
    let end = title.iter().rposition(|b| *b != b' ').map_or(start, |last| last + 1);
    Some(title[start..end].to_vec())
}

/// The title that the configuration asks for. `program` is the name it was started by.
pub fn process_title(config: &Config, program: &[u8]) -> Option<Vec<u8>> {
    let unixsocket = || config.unixsocket.clone().unwrap_or_default();
    expand(&config.proc_title_template, |variable| {
        Some(match variable {
            b"title" => program.to_vec(),
            b"listen-addr" => match [config.port, config.tls_port].into_iter().find(|p| *p != 0) {
                Some(port) => {
                    let mut shown = config.bind.0.first().cloned().unwrap_or(b"*".to_vec());
                    shown.extend_from_slice(format!(":{port}").as_bytes());
                    shown
                }
                None => [b"unixsocket:".as_slice(), &unixsocket()].concat(),
            },
            b"server-mode" if config.cluster_enabled => b"[cluster]".to_vec(),
            b"server-mode" => Vec::new(),
            b"config-file" => match &config.startup.config_file {
                Some(path) => path.as_os_str().as_encoded_bytes().to_vec(),
                None => b"-".to_vec(),
            },
            b"port" => config.port.to_string().into_bytes(),
            b"tls-port" => config.tls_port.to_string().into_bytes(),
            b"unixsocket" => unixsocket(),
            _ => return None,
        })
    })
}
