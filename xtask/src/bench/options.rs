/// Where a complete run is written.
pub(super) const DOCUMENT: &str = "docs/benchmarks.md";

/// What the command line says.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Options {
    /// Runs of each scenario with each broker.
    pub(super) runs: usize,
    /// Seconds that each run measures.
    pub(super) seconds: f64,
    /// Only scenarios whose name has this in it.
    pub(super) only: Option<String>,
    /// Only these peers, and Ferry.
    pub(super) peers: Vec<String>,
    /// Sizes of a tenth, one run, one second: whether it works, not how fast it is.
    pub(super) quick: bool,
    pub(super) install_peers: bool,
    /// This program rather than one that is built.
    pub(super) ferry: Option<String>,
    pub(super) output: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            runs: 3,
            seconds: 5.0,
            only: None,
            peers: Vec::new(),
            quick: false,
            install_peers: false,
            ferry: None,
            output: None,
        }
    }
}

impl Options {
    /// # Errors
    /// An option that there is not, or a value that is not one.
    pub(super) fn parse(arguments: &[String]) -> Result<Self, String> {
        let mut options = Self::default();
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().cloned().ok_or_else(|| format!("{argument} needs a value"));
            let number = |text: String| {
                let number = text.parse::<f64>().ok().filter(|number| (0.1..=3_600.0).contains(number));
                number.ok_or_else(|| format!("{argument} {text}: a number from 0.1 to 3,600"))
            };
            match argument.as_str() {
                "--runs" => options.runs = number(value()?)?.ceil() as usize,
                "--seconds" => options.seconds = number(value()?)?,
                "--only" => options.only = Some(value()?),
                "--peer" => options.peers.push(value()?),
                "--quick" => (options.quick, options.runs, options.seconds) = (true, 1, 1.0),
                "--ferry" => options.ferry = Some(value()?),
                "--install-peers" => options.install_peers = true,
                "--output" => options.output = Some(value()?),
                _ => return Err(format!("bench has no option {argument}")),
            }
        }
        Ok(options)
    }

    /// The file for the table: a part of it does not replace the whole.
    pub(super) fn document(&self) -> Option<String> {
        let is_complete = self.only.is_none() && self.peers.is_empty() && !self.quick && self.ferry.is_none();
        self.output.clone().or_else(|| is_complete.then(|| DOCUMENT.to_owned()))
    }

    /// The command line that these options come from.
    pub(super) fn shown(&self) -> String {
        let mut text = "cargo xtask bench".to_owned();
        if self.quick {
            text += " --quick";
        }
        text += &format!(" --runs {} --seconds {}", self.runs, self.seconds);
        for (name, value) in self
            .only
            .iter()
            .map(|only| ("--only", only))
            .chain(self.peers.iter().map(|peer| ("--peer", peer)))
            .chain(self.ferry.iter().map(|ferry| ("--ferry", ferry)))
        {
            text += &format!(" {name} {value}");
        }
        text
    }
}
