//! The members that server lines name, and the ensemble that `--members-from-config` makes of them.

use std::net::SocketAddr;
use std::path::PathBuf;

use minikeeper::Config;

use super::{Gathered, Refusal, hierarchy, is_true, last_of_each};
use crate::environment::Origin;
use crate::flags::Serve;
use crate::keys;
use crate::members::{self, Member, Reading};
use crate::zoo_cfg;

impl Gathered {
    /// Returns the members of the server lines, of the file itself or of its dynamic file.
    pub(super) fn members(&mut self) -> Result<Vec<Member>, Refusal> {
        if let Some(dynamic) = self.given("dynamicConfigFile") {
            if let Some(line) = self.servers.iter().chain(&self.hierarchy).next() {
                return Err(Refusal::value(line, "must be in the dynamic file"));
            }
            let path = PathBuf::from(&dynamic.value);
            for given in last_of_each(zoo_cfg::read(&path)?) {
                match keys::in_file(&given.name) {
                    Some(key) if ["server.*", "group*", "weight*"].contains(&key.name) => {
                        self.take(key, given)?;
                    }
                    _ => {
                        return Err(Refusal::value(
                            &given,
                            "does not belong in the dynamic file",
                        ));
                    }
                }
            }
        }
        let reading = Reading {
            host: self.host,
            many_addresses: self.many_addresses,
        };
        self.servers
            .iter()
            .map(|given| {
                members::parse(&given.name, &given.value, reading)
                    .map_err(|reason| Refusal::value(given, reason))
            })
            .collect()
    }

    /// Checks the server lines: `QuorumPeerConfig.parseDynamicConfig` and `isDistributed`.
    pub(super) fn check_members(
        &mut self,
        members: &[Member],
        flags: &Serve,
    ) -> Result<(), Refusal> {
        if !self.has_oracle {
            hierarchy::check(&self.hierarchy, members)?;
        }
        let voting = members.iter().filter(|member| member.votes).count();
        let observing = members.len() - voting;
        let dissent = self
            .given("standaloneEnabled")
            .filter(|given| !is_true(&given.value))
            .cloned();
        match (voting, dissent) {
            (0, Some(given)) => Err(Refusal::value(&given, "needs at least one server line")),
            (0 | 1, None) if observing > 0 => Err(Refusal::Whole(String::from(
                "observers need an ensemble; ZooKeeper refuses this too",
            ))),
            (0 | 1, None) => Ok(()),
            (1, Some(given)) => {
                self.lack(&given, "a server line makes it an ensemble of one");
                Ok(())
            }
            (_, _) if flags.members_from_config => {
                let observers = members.iter().filter(|member| !member.votes);
                self.lacks.extend(observers.map(|member| {
                    format!(
                        "server.{} is an observer (minikeeper's members vote)",
                        member.id
                    )
                }));
                Ok(())
            }
            (several, _) => {
                let variable = self.servers.first().map(|given| &given.origin);
                let variable = variable
                    .filter(|origin| matches!(origin, Origin::Variable(_) | Origin::Words(_)))
                    .map(|origin| format!("{origin}: "));
                self.lacks.push(format!(
                    "{}{several} voting members (use --members-from-config to serve all of them from this process)",
                    variable.unwrap_or_default()
                ));
                Ok(())
            }
        }
    }

    /// Makes the members one ensemble. Each has its address for clients if its host is this machine; without a port for
    /// clients in its line, it has the port as far from `clientPort` as its number is from that of this process.
    pub(super) fn place_members(
        &mut self,
        config: &mut Config,
        id: Option<i64>,
        mut members: Vec<Member>,
    ) -> Result<(), Refusal> {
        members.sort_by_key(|member| member.id);
        if let Some(wrong) = (1..)
            .zip(&members)
            .find(|(number, member)| *number != member.id)
        {
            let reason = "--members-from-config needs the numbers from 1 without a gap";
            return Err(Refusal::Whole(format!("server.{}: {reason}", wrong.1.id)));
        }
        let own = id.unwrap_or(1);
        if !members.iter().any(|member| member.id == own) {
            let reason =
                format!("there is no line server.{own} for this process, whose myid is {own}");
            return Err(Refusal::Whole(reason));
        }
        let addresses = members.iter().map(|member| {
            if Some(member.id) == id {
                return Ok(Some(config.address));
            }
            match member.client {
                _ if !member.is_local() => Ok(None),
                Some(client) => Ok(Some(client)),
                None => with_offset(config.address, member.id - own).map(Some),
            }
        });
        let addresses: Vec<Option<SocketAddr>> = addresses.collect::<Result<_, Refusal>>()?;
        let Some(first) = addresses.iter().flatten().next() else {
            return Err(Refusal::Whole(String::from(
                "the host of no member is this machine; write the number of this process to the file myid in dataDir",
            )));
        };
        if id.is_none() {
            config.address = *first;
        }
        let count = u8::try_from(members.len()).ok();
        let Some(count) = count.filter(|count| *count < u8::MAX) else {
            return Err(Refusal::Whole(
                "an ensemble has 254 members at most".to_owned(),
            ));
        };
        config.members = count;
        config.member_addresses = addresses;
        // It is one of the numbers from 1 to the count.
        self.own_member = u8::try_from(own).unwrap_or(count);
        Ok(())
    }

    /// Adds the log line about an ensemble.
    pub(super) fn describe_members(&mut self, config: &Config, flags: &Serve) {
        let members = config.members;
        if members == 1 {
            if flags.members_from_config {
                let lines = self.servers.len();
                self.warnings.push(format!(
                    "--members-from-config has no effect: the configuration has {lines} server lines, and an ensemble \
                     has several"
                ));
            }
            return;
        }
        let mut line = format!("{members} members in this process, no peer ports, state in memory");
        if flags.members_from_config {
            let addresses = (1..)
                .zip(&config.member_addresses)
                .map(|(number, address)| match address {
                    Some(address) => format!("server.{number} on {address}"),
                    None => format!("server.{number} not on this machine"),
                });
            line = format!("{line}: {}", addresses.collect::<Vec<_>>().join(", "));
        }
        if self.given("dataDir").is_some() {
            line += "; dataDir is not used";
        }
        self.warnings.push(line);
    }
}

/// Returns the address whose port is so much higher. Port 0 is a free port.
fn with_offset(address: SocketAddr, offset: i64) -> Result<SocketAddr, Refusal> {
    let port = i64::from(address.port());
    let port = if port == 0 { 0 } else { port + offset };
    match u16::try_from(port) {
        Ok(port) => Ok(SocketAddr::new(address.ip(), port)),
        Err(_) => Err(Refusal::Whole(format!(
            "a member would have the port {port}; give each server line a port for clients, as in \
             server.1=localhost:2888:3888;2181"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::of_file;
    use super::*;
    use crate::environment::Variables;
    use crate::settings::{Settings, Source, settle};

    /// Settles a `zoo.cfg` of these lines with `--members-from-config`. Its myid is 1.
    fn of_lines(lines: &str) -> Result<Settings, Refusal> {
        let flags = Serve {
            members_from_config: true,
            ..Serve::default()
        };
        of_file(&format!("dataDir=DIR\n{lines}"), &[], &flags)
    }

    fn check(lines: &str, expected: &str) {
        let settings = of_lines(lines).unwrap_or_else(|refusal| panic!("{lines}: {refusal}"));
        let addresses = settings.config.member_addresses.iter();
        let addresses =
            addresses.map(|address| address.map_or("-".to_owned(), |it| it.to_string()));
        let found = addresses.collect::<Vec<_>>().join(" ");
        assert_eq!(found, expected, "{lines}");
        assert_eq!(
            usize::from(settings.config.members),
            expected.split(' ').count()
        );
        assert_eq!(settings.config.storage.data_dir, None, "{lines}");
    }

    fn check_refused(lines: &str, expected: &str) {
        let refusal = of_lines(lines).map(|settings| settings.config.member_addresses);
        let refusal = refusal.expect_err(lines).to_string();
        assert!(refusal.contains(expected), "{lines}: {refusal}");
    }

    #[test]
    fn members_on_this_machine_have_the_addresses_of_their_lines() {
        check(
            "server.2=localhost:3:4;127.0.0.1:2\nserver.1=127.0.0.1:1:2;127.0.0.1:1",
            "127.0.0.1:1 127.0.0.1:2",
        );
        check(
            "clientPort=7\nserver.1=localhost:1:2;7\nserver.2=localhost:3:4;9",
            "0.0.0.0:7 0.0.0.0:9",
        );
    }

    #[test]
    fn without_a_port_in_its_line_a_member_is_as_far_from_the_client_port_as_its_number() {
        let lines = "server.1=localhost:1:2\nserver.2=localhost:3:4\nserver.3=localhost:5:6";
        check(
            &format!("clientPort=2181\nclientPortAddress=127.0.0.1\n{lines}"),
            "127.0.0.1:2181 127.0.0.1:2182 127.0.0.1:2183",
        );
        check(
            &format!("clientPort=0\n{lines}"),
            "0.0.0.0:0 0.0.0.0:0 0.0.0.0:0",
        );
        check_refused(
            &format!("clientPort=65534\n{lines}"),
            "a member would have the port 65536; give each server line a port for clients",
        );
    }

    #[test]
    fn members_on_other_machines_have_no_address_here() {
        check(
            "clientPort=2181\nserver.1=203.0.113.1:1:2\nserver.2=203.0.113.2:1:2\nserver.3=localhost:1:2;5",
            "0.0.0.0:2181 - 0.0.0.0:5",
        );
    }

    #[test]
    fn the_numbers_of_the_members_are_those_from_1() {
        let many = (1..=255).map(|number| format!("server.{number}=localhost:1:2"));
        let many = many.collect::<Vec<_>>().join("\n");
        check_refused(
            &format!("clientPort=2181\n{many}"),
            "an ensemble has 254 members at most",
        );
        check_refused(
            "server.2=localhost:1:2\nserver.3=localhost:1:2",
            "server.2: --members-from-config needs the numbers from 1 without a gap",
        );
    }

    #[test]
    fn this_process_is_one_of_the_members() {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let path = folder.path().join("zoo.cfg");
        let lines = format!(
            "dataDir={}\nclientPort=2181\nserver.1=203.0.113.1:1:2\nserver.2=203.0.113.2:1:2\n",
            folder.path().display()
        );
        std::fs::write(&path, lines).expect("it can be written");
        let flags = Serve {
            members_from_config: true,
            ..Serve::default()
        };
        let refusal = || {
            let source = Source::File(path.clone());
            let settled = settle(&source, &Variables::from([]), &flags);
            settled.expect_err("no member is this process").to_string()
        };
        assert!(refusal().starts_with("the host of no member is this machine; write the number"));
        std::fs::write(folder.path().join("myid"), "3\n").expect("it can be written");
        assert_eq!(
            refusal(),
            "there is no line server.3 for this process, whose myid is 3"
        );
    }

    #[test]
    fn an_observer_is_no_member() {
        check_refused(
            "server.1=localhost:1:2;2181\nserver.2=a:1:2\nserver.3=a:1:2:observer",
            "server.3 is an observer (minikeeper's members vote)",
        );
    }

    #[test]
    fn one_log_line_describes_the_members() {
        let warnings = |lines| of_lines(lines).expect("it is in order").warnings;
        let lines = "server.1=localhost:1:2;127.0.0.1:7\nserver.2=203.0.113.1:1:2;8";
        assert_eq!(
            warnings(lines),
            [
                "2 members in this process, no peer ports, state in memory: server.1 on 127.0.0.1:7, \
              server.2 not on this machine; dataDir is not used"
            ]
        );
        assert_eq!(
            warnings("clientPort=2181\nserver.1=localhost:1:2"),
            [
                "--members-from-config has no effect: the configuration has 1 server lines, and an ensemble has several"
            ]
        );
    }
}
