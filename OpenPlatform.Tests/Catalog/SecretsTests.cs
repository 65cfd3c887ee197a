using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json.Nodes;
using Dapper;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;
using OpenPlatform.Catalog.Credentials;
using OpenPlatform.Tests.Fixtures;

namespace OpenPlatform.Tests.Catalog;

/// <summary>Of everything that is secret, nothing stands in the database as it is: not in the audit, and nowhere else.</summary>
public sealed class SecretsTests(SharedPostgres postgres) : IAsyncLifetime
{
    /// <summary>Columns of audited tables that are bytes or sound like a secret, and are none. Whoever adds one has it left out of the audit's hash, or says here why it may be in.</summary>
    private static readonly Dictionary<string, string> Public = new(StringComparer.Ordinal)
    {
        ["credentials.key_id"] = "signed requests name it",
        ["credentials.thumbprint"] = "of a certificate, which every handshake shows",
        ["webhooks.previous_secret_until"] = "a time",
        ["accounts.password_iterations"] = "how often the hash was taken",
        ["token_keys.public_key"] = "is published",
    };

    /// <summary>Those that are: their change is in the audit, and not even a hash of their content.</summary>
    private static readonly string[] LeftOut =
    [
        "access_tokens.hash", "accounts.password_hash", "accounts.password_salt", "credentials.hash", "credentials.key", "sessions.hash", "token_keys.sealed_private_key", "webhooks.previous_secret", "webhooks.secret",
    ];

    private string _connectionString = "";
    private CatalogServer _catalog = null!;

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _connectionString = await postgres.CreateDatabaseAsync();
        _catalog = new(_connectionString, settings: [("OpenPlatform:Tokens:Issuer", "https://login.example")]);
        await _catalog.ReadyAsync();
    }

    public ValueTask DisposeAsync() => _catalog.DisposeAsync();

    [Fact]
    public async Task No_secret_of_any_kind_stands_in_the_database_as_it_is_and_none_in_the_audit_in_any_form()
    {
        using var admin = _catalog.Operator();
        var application = await new Parts(admin).NewAsync("applications");
        var secrets = new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["password"] = "a-password-of-the-tests", ["second password"] = "another-password-of-the-tests", ["declared key"] = "declared-key-of-the-tests-0123456789abcdef",
            ["pepper"] = CatalogServer.Pepper, ["envelope key"] = CatalogServer.EnvelopeKey, ["admin token"] = CatalogServer.AdminToken, ["service token"] = CatalogServer.ServiceToken,
        };
        // Each with a key of its own, so that every answer is kept as well.
        var key = await PostAsync(admin, "credentials", new { applicationId = application });
        secrets["API key"] = Text(key, "key");
        var hmac = await PostAsync(admin, "credentials", new { applicationId = application, type = "hmac" });
        secrets["HMAC secret"] = Text(hmac, "secret");
        var client = await PostAsync(admin, "credentials", new { applicationId = application, type = "client-secret" });
        secrets["client secret"] = Text(client, "secret");
        secrets["rotated API key"] = Text(await PostAsync(admin, $"credentials/{key.Id()}:rotate", new { }), "key");
        secrets["rotated HMAC secret"] = Text(await PostAsync(admin, $"credentials/{hmac.Id()}:rotate", new { }), "secret");
        var webhook = await PostAsync(admin, "webhooks", new { url = "https://partner.example/hook" });
        secrets["webhook secret"] = Text(webhook, "secret");
        secrets["rotated webhook secret"] = Text(await PostAsync(admin, $"webhooks/{webhook.Id()}:rotate", new { }), "secret");
        secrets["token"] = Text(await PostAsync(admin, "tokens", new { name = "ci", roles = (string[])["auditor"] }), "token");
        var account = await PostAsync(admin, "accounts", new { name = "mara", password = secrets["password"], roles = (string[])["auditor"] });
        secrets["session"] = await LoginAsync(secrets["password"]);
        await PostAsync(admin, $"accounts/{account.Id()}:setPassword", new { password = secrets["second password"] });
        secrets["second session"] = await LoginAsync(secrets["second password"]);
        await PostAsync(admin, "changesets", new
        {
            puts = new { organizations = (object[])[new { name = "declared" }], applications = (object[])[new { name = "shop", organization = "declared", credentials = (object[])[new { name = "ci", key = secrets["declared key"] }] }] },
        });
        secrets["access token"] = await AccessTokenAsync(application, secrets["client secret"]);
        await PostAsync(admin, "token-keys:rotate", new { atOnce = true });
        await using var connection = new NpgsqlConnection(_connectionString);
        var signing = (await connection.QueryAsync<(Guid Id, byte[] Sealed)>("select id, sealed_private_key from token_keys")).AsList();
        Assert.NotEmpty(signing);
        var forms = secrets.SelectMany(static secret => Forms(secret.Value).Select(form => (secret.Key, form))).ToList();
        foreach (var (id, @sealed) in signing)
        {
            var opened = _catalog.Services.GetRequiredService<Envelopes>().Open(id, @sealed)!;
            forms.AddRange(((string[])[Convert.ToHexStringLower(opened), Convert.ToBase64String(opened)]).Select(static form => ("signing key", form)));
        }

        var found = new List<string>();
        var rows = 0L;
        foreach (var table in await connection.QueryAsync<string>("select relname from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') and not relispartition"))
        {
            var all = await connection.ExecuteScalarAsync<string>($"select string_agg(t::text, chr(10)) from {table} t");
            rows += await connection.ExecuteScalarAsync<long>($"select count(*) from {table}");
            found.AddRange(from form in forms where all?.Contains(form.form, StringComparison.OrdinalIgnoreCase) == true select $"{form.Key} in {table}");
        }

        Assert.Empty(found);
        Assert.Empty(forms.Where(form => _catalog.Logs.All.Contains(form.form, StringComparison.Ordinal)).Select(static form => $"{form.Key} in the log"));
        Assert.True(rows > 100, $"{rows} rows");
        Assert.True(await connection.ExecuteScalarAsync<long>("select count(*) from idempotency where answer is not null") >= 11);

        // What is stored of them, hashed or sealed, is not in the audit either.
        var audit = (await connection.ExecuteScalarAsync<string>("select string_agg(t::text, chr(10)) from audit t"))!;
        foreach (var column in LeftOut)
        {
            var stored = (await connection.QueryAsync<string>($"select encode({column.Split('.')[1]}, 'hex') from {column.Split('.')[0]} where {column.Split('.')[1]} is not null")).AsList();
            Assert.True(stored.Count > 0, $"nothing is in {column}");
            Assert.All(stored, value => Assert.DoesNotContain(value, audit, StringComparison.OrdinalIgnoreCase));
        }
    }

    [Fact]
    public async Task Every_column_that_could_hold_a_secret_is_left_out_of_the_audit_or_is_known_to_be_public()
    {
        await using var connection = new NpgsqlConnection(_connectionString);
        var columns = (await connection.QueryAsync<(string Name, bool IsLeftOut)>(
            """
            select c.relname || '.' || a.attname, audit_is_secret(a.attname) from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
            where exists (select from pg_trigger t join pg_proc p on p.oid = t.tgfoid where t.tgrelid = c.oid and p.proname in ('audit_change', 'audit_parts'))
              and (a.atttypid = 'bytea'::regtype or audit_is_secret(a.attname) or a.attname ~ '(secret|token|passw|pass_|hash|salt|private|sealed|envelope|pepper|key|credential|session|pin$)')
            order by 1
            """)).AsList();
        Assert.Equal(LeftOut, columns.Where(static column => column.IsLeftOut).Select(static column => column.Name).Order(StringComparer.Ordinal));
        Assert.Equal(Public.Keys.Order(StringComparer.Ordinal), columns.Where(static column => !column.IsLeftOut).Select(static column => column.Name).Order(StringComparer.Ordinal));
    }

    /// <summary>As text, as its bytes, and as base64; of one with a prefix also what is behind it, and what that says.</summary>
    private static IEnumerable<string> Forms(string secret)
    {
        var bytes = Encoding.UTF8.GetBytes(secret);
        yield return secret;
        yield return Convert.ToHexStringLower(bytes);
        yield return Convert.ToBase64String(bytes);
        if (secret.IndexOf('_', StringComparison.Ordinal) is > 0 and < 8 and var prefix)
        {
            var rest = secret[(prefix + 1)..];
            yield return rest;
            if (secret.StartsWith("whsec_", StringComparison.Ordinal))
            {
                yield return Convert.ToHexStringLower(Convert.FromBase64String(rest));
            }
        }
    }

    private static string Text(JsonNode answer, string member) => answer[member]!.GetValue<string>();

    private static async Task<JsonNode> PostAsync(HttpClient admin, string path, object body)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/admin/v1/" + path) { Content = JsonContent.Create(body) };
        request.Headers.TryAddWithoutValidation("If-Match", "*");
        request.Headers.Add("Idempotency-Key", Guid.NewGuid().ToString());
        using var response = await admin.SendAsync(request, Stop);
        Assert.True(response.IsSuccessStatusCode, $"{path}: {(int)response.StatusCode} {await response.Content.ReadAsStringAsync(Stop)}");
        return await response.JsonAsync();
    }

    private async Task<string> LoginAsync(string password)
    {
        using var client = _catalog.Anonymous();
        using var response = await client.PostAsJsonAsync("/admin/v1/login", new { name = "mara", password }, Stop);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        return Text(await response.JsonAsync(), "token");
    }

    private async Task<string> AccessTokenAsync(string application, string secret)
    {
        using var client = _catalog.Anonymous();
        client.DefaultRequestHeaders.Authorization = new("Basic", Convert.ToBase64String(Encoding.UTF8.GetBytes($"{application}:{secret}")));
        using var content = new FormUrlEncodedContent([KeyValuePair.Create("grant_type", "client_credentials")]);
        using var response = await client.PostAsync("/oauth/token", content, Stop);
        Assert.True(response.StatusCode == HttpStatusCode.OK, await response.Content.ReadAsStringAsync(Stop));
        return Text(await response.JsonAsync(), "access_token");
    }
}
