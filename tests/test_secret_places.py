"""Where passwords and keys stand in real code, configuration, tests and prose, and what stands there without being one.

⟦ and ⟧ mark what must be found and redacted, ⏎ a line's end. Texts are read as a run reads them: through the windows,
so a value in the line after its name is seen only if its line is in the window. Every secret here is made up.
"""

from __future__ import annotations

import re

import pyarrow as pa
import pytest

from pii import windows
from pii.recognizers import (
    AssignmentRecognizer,
    CommandRecognizer,
    KeyMemberRecognizer,
    PrivateKeyRecognizer,
    SecretRecognizer,
    TableRecognizer,
    UrlPasswordRecognizer,
)

RECOGNIZERS = [
    AssignmentRecognizer(),
    CommandRecognizer(),
    SecretRecognizer(),
    UrlPasswordRecognizer(),
    PrivateKeyRecognizer(),
    TableRecognizer(),
    KeyMemberRecognizer(),
]
TRIGGERS = windows.triggers(RECOGNIZERS)


def redacted(text: str) -> set[str]:
    """The values that a run would redact."""
    read = windows.find(pa.array([text], pa.string()), TRIGGERS).text
    return {
        read[hit.start : hit.end]
        for recognizer in RECOGNIZERS
        for hit in recognizer.analyze(read, ["PASSWORD", "KEY"])
        if not hit.recognition_metadata["left"]
    }


def marked(line: str) -> tuple[str, set[str]]:
    """A text, and the values marked in it."""
    text = line.replace("⏎", "\n")
    return re.sub("[⟦⟧]", "", text), set(re.findall("⟦(.*?)⟧", text, re.DOTALL))


PASSWORDS = r"""
      - name: DB_PASSWORD⏎        value: ⟦tig3rXy⟧⏎
      - name: DB_PASSWORD⏎        value: "⟦admin⟧"⏎
        - name: POSTGRES_PASSWORD⏎          value: ⟦petclinic⟧⏎
<property name="password" value="⟦petclinic⟧"/>
<param-name>password</param-name>⏎  <param-value>⟦petclinic⟧</param-value>
<name>javax.jdo.option.ConnectionPassword</name>⏎  <value>⟦hive⟧</value>
<key>Password</key>⏎	<string>⟦wonder⟧</string>
<password>⟦admin⟧</password>
apiVersion: v1⏎kind: Secret⏎data:⏎  password: ⟦YWRtaW4=⟧⏎  username: YWRtaW4=
  password: ⟦MWYyZDFlMmU2N2Rm⟧
password: ${DB_PASSWORD:⟦petclinic⟧}
spring.datasource.password=${MYSQL_PASS:⟦petclinic⟧}
POSTGRES_PASSWORD=${POSTGRES_PASSWORD:-⟦tig3rXy⟧}
      POSTGRES_PASSWORD: ${POSTGRES_PASSWORD:-⟦admin⟧}
password = os.environ.get("DB_PASSWORD", "⟦tig3r⟧")
password = os.getenv('DB_PASSWORD', '⟦wonder⟧')
password: process.env.DB_PASSWORD || '⟦wonder⟧',
'password' => env('DB_PASSWORD', '⟦wonder⟧'),
password: ENV.fetch('DB_PASS', '⟦wonder⟧')
password = ENV['DB_PASSWORD'] || "⟦wonder⟧"
const password = process.env.PASSWORD ?? "⟦wonder1⟧";
login("bob", "⟦pw12⟧")
auth("bob", "⟦wonder⟧")
await login(page, 'bob', '⟦wonder⟧');
connect("localhost", "bob", "⟦wonder⟧")
DriverManager.getConnection(url, "sa", "⟦wonder⟧");
createUser("bob", "⟦wonder⟧")
User.objects.create_user('bob', 'bob@example.com', '⟦wonder⟧')
requests.get(url, auth=("bob","⟦wonder⟧"))
requests.get(url, auth=HTTPBasicAuth("bob", "⟦wonder⟧"))
String credential = Credentials.basic("jesse", "⟦password1⟧");
Credentials.basic("jesse", "⟦wonder⟧")
{user: 'x', pass: '⟦y12z⟧'}
auth: { user: 'bob', pass: '⟦wonder⟧' }
:username => 'bob', :password => '⟦xyz⟧'
password => q(⟦wonder⟧)
password => q{⟦wonder⟧},
define('DB_PASSWORD','⟦wonder⟧');
define( 'DB_PASSWORD', "⟦wonder⟧" );
$cfg['password'] = '⟦wonder⟧';
$cfg['Servers'][$i]['password'] = '⟦wonder⟧';
password: "⟦wonder⟧"
{password, "⟦wonder⟧"}
{default_pass, <<"⟦wonder⟧">>},
:password "⟦wonder⟧"
{:user "bob" :password "⟦wonder⟧"}
password = "⟦wonder⟧" }
let g:my_password = '⟦wonder⟧'
let g:pw = '⟦wonder⟧'
    password '⟦wonder⟧'
password "⟦wonder⟧"
.withPassword("⟦wonder⟧")
setPassword("⟦wonder⟧")
.password("⟦wonder⟧")
.password("{noop}⟦wonder⟧")
.withUser("bob").password("{noop}⟦wonder⟧").roles("USER")
login(username: "bob", password: "⟦wonder⟧")
"Server=x;Uid=bob;Password=⟦wonder⟧;"
"Server=x;Uid=bob;Pwd=⟦wonder⟧;"
Data Source=x;User ID=sa;Password=⟦wonder⟧"
"user=bob password=⟦wonder⟧ dbname=x"
$p = ConvertTo-SecureString "⟦wonder⟧" -AsPlainText -Force
$p = ConvertTo-SecureString -String '⟦wonder⟧' -AsPlainText -Force
INSERT INTO users (username, password) VALUES ('bob', '⟦wonder⟧');
INSERT INTO users (username, password, role) VALUES⏎ ('bob', '⟦wonder⟧', 'x'),⏎ ('alf', '⟦tig3r⟧', 'y');
INSERT INTO `users` (`id`, `name`, `password`)⏎VALUES (1, 'bob', '⟦wonder⟧');
GRANT ALL ON x.* TO 'bob'@'localhost' IDENTIFIED BY '⟦wonder⟧';
ALTER USER bob IDENTIFIED BY ⟦wonder⟧;
ALTER USER bob WITH PASSWORD '⟦wonder⟧';
CREATE USER bob PASSWORD '⟦wonder⟧';
CREATE LOGIN bob WITH PASSWORD = '⟦wonder⟧';
CREATE LOGIN bob WITH PASSWORD=N'⟦wonder⟧'
psql postgres://bob:⟦wonder⟧@localhost/db
psql "postgresql://bob:⟦pw⟧@localhost/db"
mysql://root:⟦root⟧@localhost
amqp://guest:⟦guest⟧@localhost:5672
requirepass ⟦wonder⟧
masterauth ⟦wonder⟧
redis.call AUTH ⟦tig3rXy⟧
db.createUser({ user: "bob", pwd: "⟦wonder⟧", roles: [] })
  pwd: "⟦wonder⟧",
passwd=⟦wonder⟧
openssl rsa -passin pass:⟦wonder⟧ -in k
curl -u bob:⟦wonder⟧ https://x
curl --user bob:⟦wonder⟧ https://x
curl --proxy-user bob:⟦wonder⟧ https://x
curl https://x -u 'bob:⟦wonder⟧'
curl -ubob:⟦wonder⟧ https://x
curl https://x \⏎  -u bob:⟦wonder⟧ \⏎ -d x
curl -X POST https://x -d '{"username":"bob","password":"⟦wonder⟧"}'
curl -d "username=bob&password=⟦wonder⟧" https://x
wget --user=bob --password=⟦wonder⟧ https://x
wget --http-password=⟦wonder⟧ https://x
docker login -u bob -p ⟦wonder⟧
htpasswd -b -c f bob ⟦wonder⟧
smbclient //host/share -U bob%⟦wonder⟧
mount -t cifs -o username=bob,password=⟦wonder⟧ //x /y
net use z: \\host\share ⟦tig3rXy⟧ /user:bob
ldapsearch -x -D "cn=admin,dc=x" -w ⟦wonder⟧ -b dc=x
keytool -genkey -storepass ⟦wonder⟧ -keypass ⟦tig3r⟧
keytool -genkey -storepass "⟦changeit2⟧"
storePassword '⟦wonder⟧'
    storePassword "⟦wonder⟧"
    keyPassword = "⟦wonder⟧"
storePassword=⟦android⟧
keyPassword=⟦android⟧
username: admin / password: ⟦1234⟧
Username: admin, Password: ⟦admin⟧
login with alice / ⟦wonder⟧
Log in with `alice` / `⟦wonder⟧`
Login: admin, password: ⟦admin⟧
default login is `admin` / `⟦admin⟧`
default credentials: admin/⟦admin⟧
Default username/password: admin/⟦admin⟧
The default username and password are admin/⟦s3cret⟧.
(user: `bob`, password: `⟦wonder⟧`)
| User | Password |⏎|------|------|⏎| bob | ⟦wonder⟧ |⏎| alf | `⟦tig3r⟧` |
| Username | Password | Role |⏎|:--|:--|:--|⏎| bob | ⟦1234⟧ | admin |
the default password is `⟦admin⟧`
the default password is "⟦wonder⟧"
The password is ⟦raspberry⟧.
User: bob, Pass: ⟦wonder⟧
User: bob⏎Pass: ⟦wonder⟧
- Password: `⟦wonder⟧`
- **Password:** ⟦wonder⟧
**Password**: `⟦wonder⟧`
* Password: ⟦admin⟧
password `⟦wonder⟧`
with password `⟦tig3r⟧`
https://user:⟦secret1⟧@host/
http://user:⟦pw⟧@host/
ftp://bob:⟦x⟧@host
Given I log in as "bob" with password "⟦wonder⟧"
When I fill in "Password" with "⟦wonder⟧"
fill_in 'Password', with: '⟦wonder⟧'
fill_in :password, with: "⟦wonder⟧"
fill_in "user_password", :with => "⟦wonder⟧"
cy.get('#password').type('⟦wonder⟧')
cy.get('input[name="password"]').type("⟦wonder⟧")
page.fill('#password', '⟦wonder⟧')
await page.type('input[name=password]', '⟦wonder⟧');
driver.find_element(By.ID, "password").send_keys("⟦wonder⟧")
driver.findElement(By.name("password")).sendKeys("⟦wonder⟧");
userEvent.type(screen.getByLabelText('Password'), '⟦wonder⟧')
params.put("password", "⟦wonder⟧");
formData.append('password', '⟦wonder⟧')
.param("password", "⟦wonder⟧")
.field('password', '⟦wonder⟧')
assertEquals("⟦wonder⟧", user.getPassword());
assert user.password == "⟦wonder⟧"
expect(user.password).to eq('⟦wonder⟧')
check_password("⟦wonder⟧")
user.check_password('⟦wonder⟧')
user.set_password('⟦wonder⟧')
hashPassword('⟦wonder⟧')
bcrypt.hash('⟦wonder⟧', 10)
password="⟦1234⟧"
password = "⟦p@ssw0rd⟧"
password = '⟦s3cret⟧'
password: "⟦dev⟧"
password: ⟦dev⟧
password: ⟦1234⟧
password: ⟦123456⟧
password: ⟦admin⟧
password: ⟦postgres⟧
password: ⟦tomcat⟧
<user username="tomcat" password="⟦tomcat⟧" roles="x"/>
password: '⟦root⟧'
MYSQL_ROOT_PASSWORD=⟦root⟧
MYSQL_ROOT_PASSWORD: ⟦root⟧
POSTGRES_PASSWORD: ⟦postgres⟧
-e POSTGRES_PASSWORD=⟦postgres⟧
"password": "⟦admin⟧"
"Password": "⟦Welcome1⟧"
user = "SCOTT", password = "⟦TIGER⟧"
"password": "⟦pass1234⟧"
"password": "⟦mypass⟧"
"password": "⟦testpass123⟧"
"password": "⟦password123⟧"
"password": "⟦qwerty⟧"
"password": "⟦letmein⟧"
"password": "⟦abc123⟧"
'password': '⟦a⟧', 'username': 'bob'
sshpass -p ⟦raspberry⟧ ssh pi@x
SSHPASS=⟦raspberry⟧ sshpass -e ssh
gpg --batch --passphrase ⟦wonder⟧ -c f
gpg --passphrase '⟦wonder⟧'
zip -P ⟦wonder⟧ a.zip b
unzip -P ⟦wonder⟧ a.zip
7z x -p⟦wonder⟧ a.7z
ansible_ssh_pass=⟦vagrant⟧
ansible_password: ⟦vagrant⟧
host1 ansible_user=bob ansible_ssh_pass=⟦wonder⟧
config.ssh.password = "⟦vagrant⟧"
echo "bob:⟦wonder⟧" | chpasswd
echo '⟦wonder⟧' | sudo -S ls
echo ⟦wonder⟧ | passwd --stdin bob
useradd -p ⟦tig3rXy⟧ bob
wpa_passphrase "net" "⟦wonder1⟧"
psk="⟦wonder123⟧"
wpa_passphrase=⟦wonder123⟧
WiFi.begin("net", "⟦wonder123⟧");
const char* password = "⟦wonder⟧";
#define PASSWORD "⟦wonder⟧"
rabbitmqctl add_user bob ⟦wonder⟧
rabbitmqctl change_password guest ⟦wonder⟧
influx -username bob -password ⟦wonder⟧
mysql -uroot -p⟦root⟧
mongo -u bob -p ⟦wonder⟧ --authenticationDatabase admin
mongo --username bob --password ⟦wonder⟧
sqlcmd -S localhost -U sa -P ⟦wonder⟧
sqlplus scott/⟦tiger⟧@orcl
sqlplus system/⟦oracle⟧
svn co --username bob --password ⟦wonder⟧ http://x
svn co --username=bob --password=⟦wonder⟧ http://x
requests.post(u, json={"username": "bob", "password": "⟦wonder⟧"})
requests.post(u, data=dict(username="bob", password="⟦wonder⟧"))
client.login(username='bob', password='⟦wonder⟧')
password=Password("⟦wonder⟧")
new Password("⟦wonder⟧")
"--password",⏎ "⟦wonder⟧"
"--password", "⟦wonder⟧"
['--user', 'bob', '--password', '⟦wonder⟧']
password =⏎    "⟦wonder⟧";
"password":⏎   "⟦wonder⟧"
String password =⏎    "⟦wonder⟧";
password := "⟦wonder⟧"
var pass = "⟦wonder⟧"
char *pass = "⟦wonder⟧";
private String password = "⟦wonder⟧";
@Value("${db.password:⟦wonder⟧}")
{"user":"bob","pass":"⟦wonder⟧"}
password=⟦wonder⟧ # dev only
db_password: ⟦wonder⟧ # comment
-Dpassword=⟦wonder⟧
-Djavax.net.ssl.keyStorePassword=⟦wonder⟧
--db-password=⟦wonder⟧
--db-password ⟦wonder⟧
-password ⟦wonder⟧
Authorization: Basic ⟦Ym9iOndvbmRlcg==⟧
"Authorization": "Basic ⟦Ym9iOndvbmRlcg==⟧"
assert.equal(parsed.auth, 'user:⟦wonder⟧')
auth: 'bob:⟦wonder⟧'
auth = "bob:⟦wonder⟧"
data.password = '⟦wonder⟧'
user.password='⟦wonder⟧'
Password.new("⟦wonder⟧")
Password.create('⟦wonder⟧')
jdbc:mysql://localhost/x?user=bob&password=⟦wonder⟧
jdbc:sqlserver://x;user=sa;password=⟦wonder⟧
jdbc:oracle:thin:bob/⟦wonder⟧@localhost:1521:xe
mongodb://bob:⟦wonder⟧@h
user: "bob"⏎password: "⟦wonder⟧"
"""

KEYS = r"""
Authorization: Bearer ⟦a8Kd93jfLw02mZpQ7xVb4TnR⟧
"Authorization": "Bearer ⟦a8Kd93jfLw02mZpQ7xVb4TnR⟧"
SECRET_KEY = '⟦django-insecure-k2$f9z@x7q!w3e8r5t1y6u0i4o^p&a*s(d)⟧'
session: { secret: '⟦a8Kd93jfLw02mZpQ7xVb4TnR⟧' }
jwt.sign(payload, '⟦a8Kd93jfLw02mZpQ7xVb4TnR⟧')
JWT_SECRET=⟦a8Kd93jfLw02mZpQ7xVb4TnR⟧
"kty":"RSA",⏎ "n": "xjlCRBqkQRk0F4sHYqtW3jUNhD8f0w3kY9",⏎ "d": "⟦X4cTteJY_gn4FYPsXB8rdXix5vwsg1FLN5E3EaG6RJoVH⟧"
{"kty":"oct","k":"⟦AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow⟧"}
{"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","d":"⟦870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE⟧"}
encryption_key: "⟦0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f1⟧"
ENCRYPTION_KEY=⟦K7gNU3sdo+OL0wNhqoVWhr3g6s1xYv72ol/pe/Unols=⟧
fernet_key = ⟦Zx3rQ9vYkT1mPw8dLc5nHb2sJf7gXa4eUoIiRtK0yQ8=⟧
data:⏎  api-token: ⟦c2stbGl2ZS1mOGFkOTIzamYwMmttcTh6⟧
- name: API_KEY⏎  value: ⟦a8Kd93jfLw02mZpQ7xVb4TnR⟧
- name: API_KEY⏎  value: "⟦a8Kd93jfLw02mZpQ7xVb4TnR⟧"
<key>api_key</key>⏎<string>⟦a8Kd93jfLw02mZpQ7xVb4TnR⟧</string>
<apiKey>⟦a8Kd93jfLw02mZpQ7xVb4TnR⟧</apiKey>
<token>⟦a8Kd93jfLw02mZpQ7xVb4TnR⟧</token>
<add key="ApiKey" value="⟦a8Kd93jfLw02mZpQ7xVb4TnR⟧" />
api_key: ${API_KEY:-⟦a8Kd93jfLw02mZpQ7xVb4TnR⟧}
apiKey: process.env.API_KEY || '⟦a8Kd93jfLw02mZpQ7xVb4TnR⟧'
os.environ["API_KEY"] = "⟦a8Kd93jfLw02mZpQ7xVb4TnR⟧"
os.environ.get("API_KEY", "⟦a8Kd93jfLw02mZpQ7xVb4TnR⟧")
headers.put("X-Api-Key", "⟦a8Kd93jfLw02mZpQ7xVb4TnR⟧");
request.setHeader('X-Auth-Token', '⟦a8Kd93jfLw02mZpQ7xVb4TnR⟧')
.withApiKey("⟦a8Kd93jfLw02mZpQ7xVb4TnR⟧")
setToken("⟦a8Kd93jfLw02mZpQ7xVb4TnR⟧")
curl -H "PRIVATE-TOKEN: ⟦a8Kd93jfLw02mZpQ7xVb4TnR⟧" https://x
api_key = ⟦a8Kd93jfLw02mZpQ7xVb4TnR⟧
license_key: "⟦AB12C-D34EF-5GH6I-J78KL-9MN0P⟧"
LICENSE_KEY=⟦AB12C-D34EF-5GH6I-J78KL-9MN0P⟧
csrf_token = "a8Kd93jfLw02mZpQ7xVb4TnR"
Cookie: sessionid=⟦a8kd93jflw02mzpq7xvb4tnr⟧
X-Amz-Security-Token: ⟦FQoGZXIvYXdzEJr//////////wEaDKd93jfLw02mZpQ7xVb4TnRa8Kd93jfLw02mZpQ7xVb4TnR⟧
https://hooks.example.org/x?token=⟦a8Kd93jfLw02mZpQ7xVb4TnR⟧
https://x.org/api?key=⟦a8Kd93jfLw02mZpQ7xVb4TnR⟧&q=1
https://⟦a8Kd93jfLw02mZpQ7xVb4TnR0123⟧@github.com/x/y.git
https://oauth2:⟦a8Kd93jfLw02mZpQ7xVb4TnR⟧@gitlab.com/x
secret = "⟦s0meS3cretV4lue⟧"
client_secret: "⟦8f7d6a5b4c3e2f1a0b9c⟧"
"privateKey": "⟦0x4c0883a69102937d6231471b5dbb6204fe5129617082792ae468d01a3f362318⟧"
PRIVATE_KEY=⟦4c0883a69102937d6231471b5dbb6204fe5129617082792ae468d01a3f362318⟧
token: ⟦a8kd93jflw02mzpq7xvb4tnr⟧
secret: ⟦a8kd93jflw02mzpq⟧
auth_token "⟦a8Kd93jfLw02mZpQ7xVb4TnR⟧"
_authToken=⟦a8Kd93jfLw02mZpQ7xVb4TnR⟧
//registry.npmjs.org/:_authToken=⟦a8Kd93jfLw02mZpQ7xVb4TnR⟧
consumer_secret => "⟦a8Kd93jfLw02mZpQ7xVb4TnR⟧"
define('AUTH_KEY', '⟦k2$f9z@x7q!w3e8r5t1y6u0i4o^p&a*s(d)⟧');
$token = '⟦a8Kd93jfLw02mZpQ7xVb4TnR⟧';
"""

NOT_SECRETS = r"""
'password',⏎ 'domain' => [
__slots__ = ('scheme', 'user', 'password', 'host')
"error_login":"No match for Username and\/or Password.","error_session":"Warning"
http://google.com:80#@www.example.org/
credentialsId: 'ff083f76-7804-4ef1-80e4-fe975bb9141b'
- Accept proxy credentials in :reqmeta:`proxy` request
log in with email/password
The password is stored in the keychain.
the default password is generated
<label for="password">⏎  <value>{{ password }}</value>
- name: DB_PASSWORD⏎  valueFrom:⏎    secretKeyRef:⏎      name: db
password: ${DB_PASSWORD:-}
| Parameter | Password |⏎|---|---|⏎| type | string |⏎| see | the user's own |
INSERT INTO users (name, password) VALUES ('bob', '5f4dcc3b5aa765d61d8327deb882cf99');
INSERT INTO users (name, password) VALUES (?, ?), (:name, :password);
password = os.getenv("DB_PASSWORD", "")
passwordField.setText("")
{"kty":"RSA","n":"xjlCRBqkQRk0F4sHYqtW3jUNhD8f0w3kY9","e":"AQAB"}
PASS: 1234
docker run -u 1000:1000 -v x:/y
cy.get('#password').type(password)
fill_in 'Password', with: user.password
"""


@pytest.mark.parametrize("line", PASSWORDS.strip("\n").splitlines())
def test_passwords_are_redacted_where_they_stand(line: str) -> None:
    text, values = marked(line)
    assert values
    assert redacted(text) == values


@pytest.mark.parametrize("line", KEYS.strip("\n").splitlines())
def test_keys_are_redacted_where_they_stand(line: str) -> None:
    text, values = marked(line)
    assert redacted(text) == values


@pytest.mark.parametrize("line", NOT_SECRETS.strip("\n").splitlines())
def test_what_only_looks_like_one_stays(line: str) -> None:
    assert redacted(line.replace("⏎", "\n")) == set()
