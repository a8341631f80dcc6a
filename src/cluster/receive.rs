//! A packet comes in: is it whole, who sent it, what does its header change, who handles the rest.
//! Called by the node's loop for every packet (Redis: clusterProcessPacket). What unknown senders
//! say is not believed, except that they want to meet.

use super::wire::{Body, Extension, Gossip, Header, Heartbeat, Malformed, Packet, decode};
use super::{Action, Address, Cluster, Env, LinkId, NodeFlags, NodeIndex, Todo};

/// A heartbeat and where it came from.
struct Arrived<'a> {
    link: LinkId,
    /// Who sent it, if that is a known node other than this one.
    sender: Option<NodeIndex>,
    kind: Heartbeat,
    header: &'a Header,
    gossip: &'a [Gossip],
    extensions: &'a [Extension],
}

impl Cluster {
    /// Handles one whole packet. One that makes no sense is counted and otherwise ignored, unless
    /// it shows that the link has lost its framing.
    pub fn receive(&mut self, link: LinkId, packet: &[u8], env: Env) {
        if self.links.get(link).is_none() {
            return;
        }
        let Packet { header, body } = match decode(packet) {
            Ok(packet) => packet,
            Err(reason) => return self.refuse(link, reason),
        };
        self.stats.received[body.kind() as usize] += 1;
        let sender = self.identify(link, &header);
        if let Some(sender) = sender {
            self.heed_header(sender, &header, env.now_ms);
        }
        if let Body::Heartbeat { kind, gossip, extensions } = &body {
            let (kind, header) = (*kind, &header);
            return self
                .on_heartbeat(Arrived { link, sender, kind, header, gossip, extensions }, env);
        }
        match (sender, body) {
            (Some(sender), body) => self.on_message(sender, &header, body, env),
            (None, Body::Fail(about)) => {
                log::info!("Ignoring FAIL of unknown node {} about {about}", header.sender);
            }
            (None, _) => {}
        }
    }

    fn refuse(&mut self, link: LinkId, reason: Malformed) {
        self.stats.malformed += 1;
        let peer = self.links.get(link).map(|link| link.peer_ip.clone()).unwrap_or_default();
        match reason {
            // Of no harm: a later version may say more than this one understands.
            Malformed::Version(_) | Malformed::UnknownKind(_) => {
                log::debug!("Ignoring a cluster packet from {peer}: {reason}");
            }
            Malformed::Signature => {
                log::warn!("Closing the cluster link with {peer}: {reason}");
                self.close_link(link);
            }
            _ => log::warn!("Dropping a malformed cluster packet from {peer}: {reason}"),
        }
    }

    /// Who sent a packet (Redis: getNodeFromLinkAndMsg). A link that belongs to a node speaks for
    /// no other one: such a packet is from nobody who is known, and so is one with this node's own
    /// id.
    fn identify(&mut self, link: LinkId, header: &Header) -> Option<NodeIndex> {
        let peer = self.links.get(link)?.node;
        if let Some(node) = peer.filter(|&node| !self.nodes[node].in_handshake()) {
            return (self.nodes[node].id == header.sender).then_some(node);
        }
        let sender = self.nodes.find(&header.sender)?;
        if self.nodes[sender].is(NodeFlags::MYSELF | NodeFlags::HANDSHAKE) {
            return None;
        }
        // Only who opened a link is not known from the start.
        if peer.is_none() {
            self.adopt_inbound(link, sender);
        }
        Some(sender)
    }

    /// What every packet tells of a known sender, its slots and their epoch excepted.
    fn heed_header(&mut self, sender: NodeIndex, header: &Header, now_ms: u64) {
        self.current_epoch = self.current_epoch.max(header.current_epoch);
        let node = &mut self.nodes[sender];
        node.data_received_ms = now_ms;
        node.replication_offset = header.offset;
        node.replication_offset_ms = now_ms;
    }

    /// The epoch of a known sender's slots, which are looked at right after. Redis takes it from
    /// other packets, too, of which it ignores the slots: until the next heartbeat it would tell
    /// others by the new epoch of slots that the sender has given up, and two nodes that hear of
    /// each other in this way may each leave a slot to the other, for good.
    fn heed_config_epoch(&mut self, sender: NodeIndex, header: &Header) {
        let node = &mut self.nodes[sender];
        if header.config_epoch > node.config_epoch {
            node.config_epoch = header.config_epoch;
            self.mark(Todo::SAVE | Todo::FSYNC);
        }
    }

    fn on_message(&mut self, sender: NodeIndex, header: &Header, body: Body<'_>, env: Env) {
        match body {
            Body::Heartbeat { .. } => {}
            Body::Fail(about) => self.on_fail(sender, about, env.now_ms),
            Body::Publish { sharded, channel, message } => self.actions.push(Action::Deliver {
                sharded,
                channel: channel.into(),
                message: message.into(),
            }),
            Body::AuthRequest => self.on_auth_request(sender, header, env.now_ms),
            Body::AuthAck => {
                log::debug!("Ignoring a vote of {}: nobody asked for it", header.sender);
            }
            Body::Update { node, config_epoch, slots } => {
                if let Some(about) = self.nodes.find(&node) {
                    self.on_update(about, config_epoch, &slots, env);
                }
            }
            Body::MfStart => {
                if self.nodes[sender].replica_of == Some(self.myself) {
                    log::warn!(
                        "Replica {} ({}) asks for a manual failover, which this node cannot do",
                        header.sender,
                        self.nodes[sender].human_name,
                    );
                }
            }
            Body::Module => log::debug!("Ignoring a module's message of {}", header.sender),
        }
    }

    fn on_heartbeat(&mut self, arrived: Arrived<'_>, env: Env) {
        let Arrived { link, sender, kind, header, .. } = arrived;
        if kind != Heartbeat::Pong {
            self.learn_my_ip(link, kind);
            if sender.is_none() && kind == Heartbeat::Meet && header.sender != self.me().id {
                self.meet_stranger(link, header, env.now_ms);
                // Whoever says MEET was told to by an administrator.
                self.heed_gossip(None, arrived.gossip, env.now_ms);
            }
            self.send_heartbeat(link, Heartbeat::Pong, env.now_ms);
        }
        let Some(outbound) = self.settle_outbound(link, sender, header) else { return };
        if let Some(sender) = sender {
            let announced = header.flags.contains(NodeFlags::NOFAILOVER);
            self.nodes[sender].flags.set(NodeFlags::NOFAILOVER, announced);
            if kind == Heartbeat::Ping && self.update_address(sender, link, header) {
                self.mark(Todo::SAVE | Todo::UPDATE_STATE);
            }
        }
        if let Some(node) = outbound.filter(|_| kind == Heartbeat::Pong) {
            self.heed_answer(node, header);
            self.note_pong(node, env.now_ms);
        }
        let Some(sender) = sender else { return };
        self.heed_config_epoch(sender, header);
        self.heed_role(sender, header);
        self.heed_claims(sender, header, env);
        if self.me().is_primary()
            && self.nodes[sender].is_primary()
            && header.config_epoch == self.me().config_epoch
        {
            self.resolve_epoch_collision(sender);
        }
        self.heed_gossip(Some(sender), arrived.gossip, env.now_ms);
        self.heed_extensions(sender, arrived.extensions, env.now_ms);
    }

    /// Where a packet arrives is where this node is reached. Others send MEET to the address that
    /// was typed in for it, so that one counts more than what a ping tells.
    fn learn_my_ip(&mut self, link: LinkId, kind: Heartbeat) {
        let unknown = self.me().address.ip.is_empty();
        if self.settings.announce_ip.is_some() || !(kind == Heartbeat::Meet || unknown) {
            return;
        }
        let ip = self.links.get(link).map(|link| link.local_ip.clone()).unwrap_or_default();
        if !ip.is_empty() && self.me().address.ip != ip {
            log::info!("IP address for this node updated to {ip}");
            self.me_mut().address.ip = ip;
            self.mark(Todo::SAVE);
        }
    }

    /// Looks whether the right node is at the other end of a link that was opened here. The
    /// node, or `Some(None)` for links that others opened; `None` if the link is closed now.
    fn settle_outbound(
        &mut self,
        link: LinkId,
        sender: Option<NodeIndex>,
        header: &Header,
    ) -> Option<Option<NodeIndex>> {
        let known = self.links.get(link)?;
        let Some(index) = known.node.filter(|_| !known.inbound) else { return Some(None) };
        if self.nodes[index].in_handshake() {
            return self.end_handshake(index, sender, (link, header)).then_some(Some(index));
        }
        if sender == Some(index) {
            return Some(Some(index));
        }
        log::debug!("{} answers where {} was", header.sender, self.nodes[index].id);
        let node = &mut self.nodes[index];
        node.flags |= NodeFlags::NOADDR;
        node.address = Address::default();
        self.close_link(link);
        self.mark(Todo::SAVE);
        None
    }

    /// Where the sender of a packet is reached: where it says, or else where the packet came from
    /// (Redis: nodeIp2String).
    pub(super) fn address_of_sender(&self, link: LinkId, header: &Header) -> Option<Address> {
        let mut address = header.address.clone();
        if address.ip.is_empty() {
            address.ip = self.links.get(link)?.peer_ip.clone();
        }
        (!address.ip.is_empty()).then_some(address)
    }

    /// Takes over the sender's address if it is another one, and opens a new link to it then.
    /// Whether it was (Redis: nodeUpdateAddressIfNeeded).
    pub(super) fn update_address(
        &mut self,
        sender: NodeIndex,
        link: LinkId,
        header: &Header,
    ) -> bool {
        // What arrives through the link to an address cannot tell of another one.
        if self.nodes[sender].link == Some(link) {
            return false;
        }
        let Some(address) = self.address_of_sender(link, header) else { return false };
        let node = &mut self.nodes[sender];
        if node.address == address {
            return false;
        }
        let (id, name) = (node.id, &node.human_name);
        log::info!("Address updated for node {id} ({name}), now {}:{}", address.ip, address.port);
        node.address = address;
        node.flags.remove(NodeFlags::NOADDR);
        if let Some(old) = node.link {
            self.close_link(old);
        }
        true
    }
}
