//! Who may do what, as files say, and roles that are managed at run time.

use std::path::PathBuf;
use std::sync::Arc;

use ferry_auth::{AclFile, ManagedRoles, RulesFile};
use ferry_core::{AllowAll, Authorizer};

use crate::acl_authorizer::AclAuthorizer;
use crate::config::{Config, Problems, read_acl_file, read_rules_file};
use crate::grants_authorizer::GrantsAuthorizer;
use crate::role_store::RoleStore;
use crate::rules_authorizer::RulesAuthorizer;

/// What a configuration says of rights.
#[derive(Clone, Debug)]
pub(crate) struct Rights {
    /// The file of Mosquitto, which is asked first.
    pub(crate) acl: Option<(PathBuf, Arc<AclFile>)>,
    /// The rules file; those of roles come behind its rules.
    pub(crate) rules: Option<(PathBuf, RulesFile)>,
    /// Whether there are roles that are managed at run time.
    pub(crate) has_roles: bool,
    /// Whether clients may have roles and rules by their token or from the hook.
    expects_grants: bool,
}

/// The rights in force.
pub(crate) struct RightsInForce {
    pub(crate) rights: Rights,
    pub(crate) roles: RoleStore,
}

impl Rights {
    /// Reads what the configuration names.
    ///
    /// # Errors
    /// A file cannot be read, or something in it is wrong.
    pub(crate) fn read(config: &Config) -> Result<Self, Problems> {
        // Whoever loaded the configuration has seen the warnings.
        let warnings = &mut Vec::new();
        let authorization = &config.authorization;
        let acl = authorization.acl_file.as_ref().map(|path| {
            let file = read_acl_file(path, warnings).map_err(Problems)?;
            Ok((path.clone(), Arc::new(file)))
        });
        let acl = acl.transpose()?;
        let rules = authorization.rules_file.as_ref().map(|path| {
            let file = read_rules_file(path, warnings).map_err(Problems)?;
            Ok((path.clone(), file))
        });
        let expects_grants = config.authentication.grants();
        Ok(Self { acl, rules: rules.transpose()?, has_roles: authorization.roles, expects_grants })
    }

    /// The rules of the file, and of `roles` if they are asked.
    pub(crate) fn rules_with(&self, roles: &ManagedRoles) -> RulesFile {
        let of_file = self.rules.as_ref().map(|(_, file)| file);
        let rules = match (of_file, self.has_roles) {
            (Some(file), false) => file.clone(),
            (Some(file), true) => file.with_roles(roles),
            (None, false) => RulesFile::default(),
            (None, true) => RulesFile::default().with_roles(roles),
        };
        if self.expects_grants { rules.with_grants() } else { rules }
    }

    /// Who judges by them.
    pub(crate) fn authorizer(&self, roles: &ManagedRoles) -> Arc<dyn Authorizer> {
        let expects_grants = self.expects_grants;
        let rules = || self.rules_with(roles);
        if let Some((_, acl)) = &self.acl {
            return Arc::new(AclAuthorizer { acl: Arc::clone(acl), rules: rules(), expects_grants });
        }
        match self.rules.is_some() || self.has_roles {
            true => Arc::new(RulesAuthorizer { rules: rules(), expects_grants }),
            false if expects_grants => Arc::new(GrantsAuthorizer),
            false => Arc::new(AllowAll),
        }
    }
}

impl RightsInForce {
    /// Who judges.
    pub(crate) fn authorizer(&self) -> Arc<dyn Authorizer> {
        self.rights.authorizer(self.roles.roles())
    }
}
