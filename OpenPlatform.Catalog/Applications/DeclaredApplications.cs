using System.Text.Json.Nodes;
using Dapper;
using Microsoft.Extensions.Options;
using Npgsql;
using OpenPlatform.Catalog.Changes;
using OpenPlatform.Catalog.Credentials;
using OpenPlatform.Catalog.Problems;
using OpenPlatform.Catalog.Resources;
using OpenPlatform.Catalog.Security;
using OpenPlatform.Catalog.Snapshots;
using OpenPlatform.Catalog.Subscriptions;
using OpenPlatform.Contracts.Snapshots;

namespace OpenPlatform.Catalog.Applications;

/// <summary>
/// Applications in changesets, with what they are known by and subscribed to: <c>{ name: shop, organization: acme, credentials: [ { name: ci, key:
/// ${SHOP_KEY} }, { name: signer, type: public-key, publicKey: ${SHOP_PEM} } ], subscriptions: [ { api: orders/v1, plan: gold } ] }</c>. Subscriptions
/// that are not in the list are cancelled; credentials that are not stay, because revoking is never meant by leaving out. What the catalog generates
/// (HMAC and client secrets) is not declared: a changeset has no answer in which it could be shown.
/// </summary>
internal sealed class DeclaredApplications(IOptions<CatalogOptions> options, Envelopes envelopes) : IDeclaredKind
{
    public string List => "applications";

    public int Order => 50;

    public Permission Write => Permission.WriteApplications;

    public string? NameOf(JsonObject item) =>
        DeclaredJson.Text(item, "organization") is { } organization && DeclaredJson.Text(item, "name") is { } name ? $"{organization}/{name}" : null;

    public async Task<IReadOnlyDictionary<string, JsonObject>> ReadAsync(
        NpgsqlConnection connection, NpgsqlTransaction transaction, IReadOnlyCollection<string>? names, CancellationToken cancellationToken)
    {
        var rows = await connection.QueryAsync<(string Name, string Body)>(new(
            $"""
            select o.name || '/' || a.name, jsonb_strip_nulls(jsonb_build_object(
                'name', a.name, 'organization', o.name, 'suspended', nullif(a.suspended, false), 'addresses', a.addresses,
                'credentials', (select jsonb_agg(jsonb_strip_nulls(jsonb_build_object('name', c.name, 'type', nullif(c.type, 'api-key'))) order by c.name, c.type, c.id) from credentials c
                    where c.application_id = a.id and c.revoked_at is null and (c.expires_at is null or c.expires_at > now())),
                'subscriptions', (select jsonb_agg(jsonb_build_object('api', p.name || '/' || v.version, 'plan', l.name, 'pendingPlan', n.name, 'state', case
                        when s.state = 'paused' or (s.state = 'active') = l.approval_required then s.state end) order by p.name, v.version)
                    from subscriptions s join api_versions v on v.id = s.version_id join apis p on p.id = v.api_id join plans l on l.id = s.plan_id left join plans n on n.id = s.pending_plan_id
                    where s.application_id = a.id and s.state in ('pending', 'active', 'paused'))))::text
            from applications a join organizations o on o.id = a.organization_id
            {(names is null ? "" : "join unnest(@Organizations, @Applications) as named (organization, application) on o.name = named.organization and a.name = named.application")}
            """, PairsOf(names ?? []), transaction, cancellationToken: cancellationToken));
        return rows.ToDictionary(static row => row.Name, static row => JsonNode.Parse(row.Body)!.AsObject(), StringComparer.Ordinal);
    }

    public async Task PutAsync(ConfigChange change, IReadOnlyList<DeclaredItem> items, DeclaredReport report)
    {
        var organizations = await IdsAsync(change, "select name, id from organizations");
        var versions = await IdsAsync(change, "select a.name || '/' || v.version as name, v.id from api_versions v join apis a on a.id = v.api_id");
        var plans = await IdsAsync(change, "select name, id from plans");
        var read = new List<(DeclaredItem Item, Declared Declared, ApplicationRequest Request)>();
        foreach (var item in items)
        {
            if (DeclaredJson.Read<Declared>(item, report) is not { } declared)
            {
                continue;
            }

            if (!organizations.TryGetValue(declared.Organization, out var organization) || !change.Caller.Sees(organization))
            {
                report.Problem($"{item.Pointer}/organization", $"names no organization: {declared.Organization}");
                continue;
            }

            var request = new ApplicationRequest(organization, declared.Name, declared.Addresses);
            if (request.Check() is { } wrong)
            {
                DeclaredJson.Report(item, wrong, report);
                continue;
            }

            read.Add((item, declared, request));
        }

        // New ones go together, unless something is wrong: then one by one, to find the rest of it.
        var isFine = report.Problems.Count == 0;
        var together = read.Where(put => isFine && put.Item.Current is null && !put.Declared.Suspended).ToList();
        foreach (var (item, declared, request) in read.Except(together))
        {
            var application = await PutAsync(change, request, declared.Suspended, report.NewIds(List).TryGetValue(item.Name, out var id) ? id : null);
            if (application.Problem is { } problem)
            {
                DeclaredJson.Report(item, problem, report);
                continue;
            }

            report.StandsAt(application.Value.Id, item.Pointer);
            await PutCredentialsAsync(change, application.Value, declared, item, report);
            await DeclaredSubscriptions.PutAsync(change, application.Value, declared.Subscriptions ?? [], versions, plans, item, report);
        }

        if (together.Count > 0)
        {
            await PutNewAsync(change, together, versions, plans, report);
        }
    }

    public async Task DeleteAsync(ConfigChange change, IReadOnlyList<DeclaredName> names, DeclaredReport report)
    {
        foreach (var name in names)
        {
            var id = await change.Connection.ExecuteScalarAsync<Guid>(change.Sql(
                """
                select a.id from applications a join organizations o on o.id = a.organization_id
                join unnest(@Organizations, @Applications) as named (organization, application) on o.name = named.organization and a.name = named.application
                """, PairsOf([name.Name])));
            await DeclaredSubscriptions.CancelAsync(change, id, new HashSet<Guid>());
            if ((await ApplicationStore.DeleteAsync(change, id, IfMatch.Any)).Problem is { } problem)
            {
                report.Problem(name.Pointer, $"application {name.Name}: {problem.Detail ?? problem.Errors[0].Detail}");
            }
        }
    }

    /// <summary>Applications that nothing is known of yet: a statement for all of them, one for what they are known by, one for what they are subscribed to.</summary>
    private async Task PutNewAsync(
        ConfigChange change, IReadOnlyList<(DeclaredItem Item, Declared Declared, ApplicationRequest Request)> puts, Dictionary<string, Guid> versions, Dictionary<string, Guid> plans,
        DeclaredReport report)
    {
        var applications = await ApplicationStore.InsertAllAsync(change, [.. puts.Select(static put => put.Request)], [.. puts.Select(put => report.NewIds(List)[put.Item.Name])]);
        var organizations = applications.ToDictionary(static application => application.Id, static application => application.OrganizationId);
        var credentials = new List<(NewCredential Credential, Application Application, DeclaredItem At)>();
        var subscriptions = new List<NamedSubscription>();
        for (var n = 0; n < puts.Count; n++)
        {
            var (item, declared, _) = puts[n];
            report.StandsAt(applications[n].Id, item.Pointer);
            for (var i = 0; i < declared.Credentials?.Count; i++)
            {
                var at = item with { Pointer = $"{item.Pointer}/credentials/{i}" };
                if (await MakeOrNullAsync(change, applications[n], declared.Credentials[i], at, report) is { } made)
                {
                    credentials.Add((made, applications[n], at));
                }
            }

            subscriptions.AddRange(DeclaredSubscriptions.Named(change, applications[n], declared.Subscriptions ?? [], versions, plans, item, report));
        }

        if (credentials.Count > 0)
        {
            var left = await CredentialStore.InsertAllAsync(change, [.. credentials.Select(static put => put.Credential)], organizations);
            foreach (var (credential, application, at) in credentials.Where(put => left.Contains(put.Credential)))
            {
                await PutCredentialAsync(change, application, credential, at, report);
            }
        }

        if (subscriptions.Count > 0)
        {
            var outcomes = await SubscriptionStore.InsertAllAsync(change, [.. subscriptions.Select(static put => put.Request)], organizations);
            for (var i = 0; i < outcomes.Count; i++)
            {
                DeclaredSubscriptions.Report(outcomes[i].Problem is null ? await DeclaredSubscriptions.ReachAsync(change, outcomes[i].Value, subscriptions[i]) : outcomes[i], subscriptions[i].At, report);
            }
        }
    }

    private static async Task<Outcome<Application>> PutAsync(ConfigChange change, ApplicationRequest request, bool suspended, Guid? newId)
    {
        var existing = await ApplicationStore.LockByNameAsync(change, request.OrganizationId!.Value, request.Name!);
        var put = existing is null ? await ApplicationStore.InsertAsync(change, request, newId) : await ApplicationStore.ReplaceAsync(change, existing, request);
        return put.Problem is null && put.Value.Suspended != suspended ? await ApplicationStore.SetSuspendedAsync(change, put.Value.Id, suspended, IfMatch.Any) : put;
    }

    private async Task PutCredentialsAsync(ConfigChange change, Application application, Declared declared, DeclaredItem item, DeclaredReport report)
    {
        for (var i = 0; i < declared.Credentials?.Count; i++)
        {
            var at = item with { Pointer = $"{item.Pointer}/credentials/{i}" };
            if (await MakeOrNullAsync(change, application, declared.Credentials[i], at, report) is { } made)
            {
                await PutCredentialAsync(change, application, made, at, report);
            }
        }
    }

    private static async Task PutCredentialAsync(ConfigChange change, Application application, NewCredential made, DeclaredItem at, DeclaredReport report)
    {
        if (!await IsThereAsync(change, application, CredentialStore.NameOf(made.Type), made.Material) && (await CredentialStore.InsertAsync(change, made)).Problem is { } problem)
        {
            DeclaredJson.Report(at, problem, report);
        }
    }

    /// <summary>What is to be stored; null when it is only named, or wrong, with the reason in <paramref name="report"/>.</summary>
    private async Task<NewCredential?> MakeOrNullAsync(ConfigChange change, Application application, DeclaredCredential? credential, DeclaredItem at, DeclaredReport report)
    {
        if (credential is null)
        {
            report.Problem(at.Pointer, "must be an object, such as { name: ci, key: ${SHOP_KEY} }");
            return null;
        }

        var name = credential.Name ?? CredentialRequest.DefaultName;
        var type = CredentialStore.NameOf(credential.Type);
        if (credential.IsOnlyNamed)
        {
            // As it is exported: it says that there is one, and cannot say which.
            if (!await ExistsAsync(change, "select exists (select from credentials where application_id = @Id and type = @type and name = @name and revoked_at is null)", new { application.Id, type, name }))
            {
                var (member, detail) = credential.Type switch
                {
                    CredentialType.ApiKey => ("key", "is required for a credential that is not there yet"),
                    CredentialType.PublicKey or CredentialType.ClientKey => ("publicKey", "or jwk is required for a credential that is not there yet"),
                    CredentialType.Certificate => ("certificate", "is required for a credential that is not there yet"),
                    _ => ("type", "is generated by the catalog and shown once: issue it by itself, then it may be named here"),
                };
                report.Problem($"{at.Pointer}/{member}", detail);
            }

            return null;
        }

        if (credential.Key is not null && credential.Type != CredentialType.ApiKey)
        {
            report.Problem($"{at.Pointer}/key", "belongs to api-key");
            return null;
        }

        var request = new CredentialRequest(application.Id, credential.Type, name, credential.ExpiresAt, credential.KeyId, credential.PublicKey, credential.Jwk, credential.Certificate);
        var id = Guid.CreateVersion7(change.Now);
        var made = credential.Key is { } key
            ? request.Make(id, change.Now, options.Value.KeyPepperBytes, key)
            : request.Make(id, change.Now, options.Value.KeyPepperBytes, envelopes);
        if (made.Problem is not null)
        {
            DeclaredJson.Report(at, made.Problem, report);
            return null;
        }

        return made.Value;
    }

    /// <summary>Known by its material, whatever it is called.</summary>
    private static Task<bool> IsThereAsync(ConfigChange change, Application application, string type, CredentialMaterial material) => ExistsAsync(change,
        """
        select exists (select from credentials where application_id = @Id and type = @type and revoked_at is null
            and hash is not distinct from @Hash and thumbprint is not distinct from @Thumbprint and key is not distinct from @Key)
        """, new { application.Id, type, material.Hash, material.Thumbprint, material.Key });

    /// <summary>
    /// What <c>acme/shop</c> may stand for, as two columns: by the two names there is an index, by what they make together there is none. Names of applications
    /// may have slashes, those of organizations might once; so each slash may be the one between.
    /// </summary>
    private static object PairsOf(IEnumerable<string> names)
    {
        List<string> organizations = [], applications = [];
        foreach (var name in names)
        {
            for (var at = name.IndexOf('/', StringComparison.Ordinal); at >= 0; at = name.IndexOf('/', at + 1))
            {
                organizations.Add(name[..at]);
                applications.Add(name[(at + 1)..]);
            }
        }

        return new { Organizations = organizations.ToArray(), Applications = applications.ToArray() };
    }

    private static async Task<Dictionary<string, Guid>> IdsAsync(ConfigChange change, string sql) =>
        (await change.Connection.QueryAsync<(string Name, Guid Id)>(change.Sql(sql))).ToDictionary(static row => row.Name, static row => row.Id, StringComparer.Ordinal);

    private static Task<bool> ExistsAsync(ConfigChange change, string sql, object parameters) => change.Connection.ExecuteScalarAsync<bool>(change.Sql(sql, parameters));

    private sealed record Declared(
        string Name, string Organization, bool Suspended = false, AddressPolicy? Addresses = null,
        IReadOnlyList<DeclaredCredential?>? Credentials = null, IReadOnlyList<DeclaredSubscription?>? Subscriptions = null);

    /// <param name="Key">In the clear, from a variable; only its hash is kept.</param>
    private sealed record DeclaredCredential(
        string? Name = null, string? Key = null, DateTimeOffset? ExpiresAt = null, CredentialType Type = CredentialType.ApiKey, string? KeyId = null, string? PublicKey = null,
        JwkRequest? Jwk = null, string? Certificate = null)
    {
        public bool IsOnlyNamed => Key is null && PublicKey is null && Jwk is null && Certificate is null;

        // The generated text would print the key.
        public override string ToString() => $"credential {Name}";
    }
}
