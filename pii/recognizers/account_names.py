"""What stands where an account's name does: names that every system has, placeholders, tags, pages of a site.

Everything is lower case. The lists are functions, so that importing them builds nothing.
"""

from __future__ import annotations

import re

_GENERIC = """
root admin administrator user users guest guests test tests tester testing demo default anonymous anon nobody daemon
bin sys sync games man lp mail news uucp proxy www www-data backup list irc gnats operator sysop superuser super sudo
wheel staff owner system service services support info webmaster postmaster hostmaster superadmin sa dba dbo dev devel
developer developers deploy deployer deployment build builder builds ci cd ci-user circleci travis jenkins runner
runneradmin vsts vagrant ubuntu debian centos fedora rhel redhat ec2-user ec2user core coreos alpine arch pi kali
oracle opc azureuser azure aws gcp google cloud-user cloud codespace codespaces vscode gitpod coder node nodejs npm
yarn python ruby rails django flask php java tomcat tomcat7 tomcat8 jetty wildfly jboss app apps appuser app-user
application myapp web webapp webuser site server client api bot robot worker agent postgres postgresql pgsql pg mysql
mariadb mongo mongodb mongod redis rabbitmq rabbit kafka zookeeper elastic elasticsearch kibana logstash fluentd
grafana prometheus influxdb influx cassandra couchdb couchbase neo4j memcached memcache ldap openldap nginx apache
apache2 httpd haproxy envoy kong consul vault nomad docker podman kube kubernetes k8s minikube git gitlab gitea github
hg svn cvs ftp ftpuser sftp ssh sshd rsync nfs samba smb mailman postfix dovecot exim sendmail bind named ntp chrony
dbus messagebus systemd systemd-network polkitd avahi colord rtkit nm-openconnect hadoop hdfs yarn-user spark hive
hbase airflow jupyter jovyan conda condor sage abuild packager linuxbrew homebrew brew nix nixbld guix wordpress wp
drupal joomla magento moodle nextcloud owncloud discourse mastodon redmine sonar sonarqube nexus artifactory teamcity
bamboo buildbot buildkite drone codecov dependabot renovate greenkeeper semantic-release-bot github-actions
actions-user allcontributors dbuser dbadmin database db data sql sqluser myuser my_user my-user testuser test_user
test-user test-admin user1 user2 user3 admin1 someuser some_user some-user newuser new_user otheruser other_user
another_user anotheruser exampleuser example_user sampleuser normaluser localuser local remote remoteuser remote_user
myadmin rootuser readonly reader writer read_only readwrite replication replica repl replicator monitor monitoring
scott tiger sysdba neo smtp imap pop3 mailer noreply no-reply steam minecraft factorio palm mobile shared public
everyone all default_user kodi plex osmc xbmc odoo zabbix nagios icinga munin cacti puppet chef salt ansible terraform
packer foo bar baz qux foobar foouser baruser xxx abc xyz spec stack swift nova glance cinder neutron keystone octavia
heat horizon quay acme me jupyterhub rstudio shiny dask
"""

_PLACEHOLDER = """
username user_name user-name userid user_id user-id uid login name yourname your-name your_name youruser your_user
your-user yourusername your-username your_username yourlogin myusername my_username my-username myname my_name
the_user theuser the_username placeholder example examples sample string str text varchar char null nil none true
false undefined yes no on off empty optional required password passwd pass pwd secret token email email_address mail
account account_name value key current_user currentuser current me self this that get set post put delete update
create insert select from where new old host hostname port database dbname db_name url uri path home root_user domain
group groups role roles id int integer bool boolean number object array function return var let const type class
public private static void if else not in is and or the a an to of for with by as at your my his her our their it be
may can must will should was are has have username_here user_here somebody someone anyone nobody_here blank unknown
todo tbd fixme firstname lastname first_name last_name full_name fullname display_name displayname nickname nick
profile settings session request response context params props state data item items list index count total size
length field fields column columns table row rows
"""

_TAGS = """
abstract access after afterall aftereach alias api apiparam apisuccess apierror apigroup apiname apidefine apiversion
apiexample apidescription arg args argument async attr augments author authors autowired base bean before beforeall
beforeeach borrows brief bug bundle callback category cfg charset chainable class classdesc classmethod code
codecoverageignore codingstandardsignore component config const constant constructor constructs controller copybrief
copydoc copydetails copyright covers coversnothing cssclass custom data dataprovider date debug decorator def default
defaults defgroup deprecated depends desc description details dir directive doc docs documentation enum enduml endcode
endif endlink else elseif ensure entity error event example except exception expectedexception export exports exposes
extend extends external fallback field file filesource fileoverview final fires flow flowfixme fn font-face for
foreach formatter fluentui function functional generated getter global group hidden hide hideconstructor host
hostlistener html id if ignore image imgproxy implements implementation import include ingroup inherit inheritdoc
injectable inject inner input instance interface internal invariant istanbul jest jsdoc json keep keyframes kind label
lends layer license licence link linkcode linkplain list listens local lombok mainpage maintainer media member
memberof memberof! method methodof mixes mixin mock module moduledoc name nameof namespace newinstance ngdoc ngmodule
nocollapse nodoc noinline nolint nonnull nonpublic nosideeffects note nullable obj object observable once operator
optional option ordinal original output outputs override overload overview owner packagedocumentation package page par
param parameter params parent path pipe plugin polymer post pre precondition preserve private privateremarks prop
property props propertyof protected provider provides public published pure query readonly ref region remark remarks
request requestparam requires response restcontroller result retval return returns rest route runinseparateprocess sa
schema scss sealed section see seealso self service set setter shape short side signature since singleton skip slot
snippet source spec spring stability static state staticmethod stable startuml storage struct subpackage subsection
summary super suppress suppresswarnings supports symbol synchronized synthetic table tag tags tailwind template test
testdox testfor testonly testwith text then this throw throws title todo toc trait translate translators transient
transactional ts-check ts-expect-error ts-ignore ts-nocheck tutorial type typedef typehint typeparam undocumented
unreleased unstable unsure updated url use user uses usage users usertype value values valid var variable variation
vendor version view viewchild virtual visibility void volatile vue warn warning watch weak webpack when where while
with wordpress x xmlns xml yield yields yearly zod apply screen variant responsive at-root document forward viewport
counter-style available convention discardableresult escaping frozen gkinspectable ibaction ibdesignable ibinspectable
iboutlet inlinable main mainactor nonobjc noescape nsapplicationmain objc objcmembers sendable stateobject testable
uiapplicationmain unknown selector synthesize dynamic end protocol encode autoreleasepool try catch finally all
everyone here channel latest next beta alpha canary rc nightly master dev head types babel angular react nestjs
"""

# Pages and sections of the sites that have profiles.
_PAGES = """
about account accounts admin advertising api app apps article articles ads auth blog blogs browse business careers
category categories chat codespaces collections community contact cookies copilot customer-stories dashboard data
developer developers discover discussions docs download downloads edit en enterprise events explore faq feed features
feedback forum forums gist gists group groups guide guides hashtag help home hashtags i images img index info
integrations intent intl invite issues jobs join latest learn legal library license login logout log maintenance mail
marketplace media messages mobile network new news newest notifications oauth orders organizations orgs p packages
pages partners plans plugins policies premium press pricing privacy product products profile profiles project projects
public pulls questions r readme register releases repo repos repositories resources rss sales search security sessions
settings share sharer shop showcases signin sign-in signup sign-up site sitemap snippets solutions sponsors spring
stars static statuses status store styleguide support tag tagged tags team teams terms tools topics tos trending
tutorials u user users video videos watch watching welcome wiki work www x your your-username yourusername username
user_name user-name yourname repository owner me organization org your-org your_org your-name orgname org-name
your-github-username
"""

_SAID = re.compile(
    r"\$|%|<|>|\{|\}|\*|^(?:your|my|the|some|an?|this|that|insert|enter|change)[_.-]|^x+$|^\d+$|_?placeholder"
    r"|user_?name$|(?:_|-|^)(?:user_?name|username|user|id|login|key|password|here)$|^(?:user|test|tester|testuser|admin|guest|demo)[_.-]?\d*$"
)
_NUMBERED = re.compile(
    r"^(?:user|test|tester|testuser|admin|guest|demo|foo|bar|app|svc|service)[_.-]?(?:user|account)?[_.-]?[0-9a-z]?[0-9]*$"
)
# The ends of names that organisations and projects give their accounts.
ORGANISATION = re.compile(
    r"(?:^the|[-_](?:org|inc|labs?|team|io|js|project|projects|community|foundation|dev|hq|framework|group|software"
    r"|tools|plugins|packages|archive|wg|contrib|bot|ci)|labs|foundation|project|community|software|systems|framework)$"
    r"|^(?:microsoft|google|googleapis|facebook|apache|mozilla|nodejs|npm|python|ruby|rails|golang|kubernetes|docker"
    r"|aws|awslabs|azure|elastic|hashicorp|netflix|twitter|github|gitlab|ibm|intel|nvidia|oracle|redhat|adobe|airbnb"
    r"|alibaba|tencent|baidu|uber|spotify|stripe|shopify|square|vercel|jquery|angular|babel|webpack|reactjs|vuejs|symfony"
    r"|laravel|drupal|wordpress|kong|nginx|openssl|opencart|scrapy|sinatra|fmtlib|lodash|seleniumhq|nextcloud|rust-lang"
    r"|ziglang|dart-lang|haskell|jetbrains|atlassian|salesforce|sap|sonarsource|travis-ci|codecov|gitpod-io)$"
)


class AccountNames:
    """Judges what stands where an account's name does."""

    def __init__(self) -> None:
        self.generic = frozenset(_GENERIC.split())
        self.placeholders = frozenset(_PLACEHOLDER.split())
        self.tags = frozenset(_TAGS.split())
        self.pages = frozenset(_PAGES.split())

    def is_name(self, name: str) -> bool:
        """Whether it can be an account at all: no placeholder, no template, no keyword."""
        lowered = name.lower()
        if lowered in self.generic:
            return True
        return lowered not in self.placeholders and _SAID.search(lowered) is None and any(map(str.isalpha, lowered))

    def left(self, name: str) -> str:
        """Why an account's name stays; "" where it is a person's."""
        lowered = name.lower()
        return "generic_account" if lowered in self.generic or _NUMBERED.match(lowered) else ""
