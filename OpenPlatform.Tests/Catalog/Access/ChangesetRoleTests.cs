using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Microsoft.Extensions.DependencyInjection;
using OpenPlatform.Catalog.Changes;
using OpenPlatform.Catalog.Security;

namespace OpenPlatform.Tests.Catalog.Access;

/// <summary>A changeset is no way around the matrix of roles.</summary>
public sealed class ChangesetRoleTests(RolesFixture fixture) : IClassFixture<RolesFixture>
{
    private static readonly string[] Kinds = ["organizations", "backends", "apis", "plans", "applications"];

    public static IEnumerable<TheoryDataRow<Role, string>> Cells() =>
        from role in Enum.GetValues<Role>() where RoleMatrix.Allows([role], Permission.ApplyChangesets) from kind in Kinds select new TheoryDataRow<Role, string>(role, kind);

    [Fact]
    public void Every_kind_is_tried() => Assert.Equal(fixture.Catalog.Services.GetServices<IDeclaredKind>().Select(static kind => kind.List).Order(), Kinds.Order());

    /// <summary>What a role may do is read from the endpoint that creates one thing of the kind, not from what the changeset thinks that it needs.</summary>
    [Theory]
    [MemberData(nameof(Cells))]
    public async Task In_a_changeset_a_role_writes_what_it_may_write_one_by_one_and_nothing_else(Role role, string kind)
    {
        using var owner = fixture.Catalog.Operator();
        using var client = fixture.Catalog.With(fixture.Tokens[role]);
        var name = $"{role}-{kind}".ToLowerInvariant();
        var there = new JsonObject { ["organizations"] = new JsonArray(Item("organizations", "base")), ["backends"] = new JsonArray(Item("backends", "base")) };
        there.TryAdd(kind, new JsonArray());
        there[kind]!.AsArray().Add(Item(kind, $"{name}-there"));
        there[kind]!.AsArray().Add(Ending(kind, $"{name}-ends"));
        using (var made = await owner.PostAsJsonAsync("/admin/v1/changesets", new JsonObject { ["puts"] = there }))
        {
            Assert.True(made.StatusCode == HttpStatusCode.Created, await made.Content.ReadAsStringAsync());
        }

        var may = RoleMatrix.Allows([role], fixture.Endpoints.Single(endpoint => (endpoint.Method, endpoint.Path) == ("POST", $"/admin/v1/{kind}")).Needs);
        foreach (var (action, changeset) in new[]
        {
            ("created", Puts(kind, Item(kind, $"{name}-new"))),
            ("changed", Puts(kind, Changed(kind, $"{name}-there"))),
            ("deleted", new JsonObject { ["deletes"] = new JsonObject { [kind] = new JsonArray(NameOf(kind, $"{name}-ends")) } }),
        })
        {
            if (may)
            {
                using var done = await client.PostAsJsonAsync("/admin/v1/changesets", changeset);
                Assert.True(done.StatusCode == HttpStatusCode.Created, $"{changeset}: {await done.Content.ReadAsStringAsync()}");
                // An organization is a name: there is nothing about it to change.
                Assert.Equal(kind == "organizations" && action == "changed" ? "unchanged" : action, (await done.JsonAsync())["changes"]![0]!["action"]!.GetValue<string>());
            }
            else
            {
                await IsRefusedAsync(owner, client, changeset);
            }
        }

        if (!may)
        {
            // Nor together with what it may write.
            var own = Kinds.First(other => RoleMatrix.Allows([role], fixture.Endpoints.Single(endpoint => (endpoint.Method, endpoint.Path) == ("POST", $"/admin/v1/{other}")).Needs));
            var both = Puts(kind, Item(kind, $"{name}-new"));
            both["puts"]!.AsObject().Insert(0, own, new JsonArray(Item(own, $"{name}-own")));
            await IsRefusedAsync(owner, client, both);
            both["dryRun"] = true;
            await IsRefusedAsync(owner, client, both);
        }
    }

    private static async Task IsRefusedAsync(HttpClient owner, HttpClient client, JsonObject changeset)
    {
        var before = await StateAsync(owner);
        using var refused = await client.PostAsJsonAsync("/admin/v1/changesets", changeset);
        Assert.True(refused.StatusCode == HttpStatusCode.Forbidden, $"{changeset}: {(int)refused.StatusCode} {await refused.Content.ReadAsStringAsync()}");
        await refused.ProblemAsync(HttpStatusCode.Forbidden);
        Assert.Equal(before, await StateAsync(owner));
    }

    private static async Task<string> StateAsync(HttpClient owner) => string.Join('\n',
        await owner.GetStringAsync("/admin/v1/export"), await owner.GetStringAsync("/admin/v1/changesets?limit=200"), await owner.GetStringAsync("/admin/v1/config-revisions/current"));

    private static JsonObject Puts(string kind, JsonObject item) => new() { ["puts"] = new JsonObject { [kind] = new JsonArray(item) } };

    private static JsonObject Item(string kind, string name) => kind switch
    {
        "backends" => new() { ["name"] = name, ["service"] = name },
        "apis" => new() { ["name"] = name, ["version"] = "v1", ["basePath"] = $"/{name}/v1", ["backend"] = "base", ["operations"] = new JsonArray("GET /things") },
        "applications" => new() { ["name"] = name, ["organization"] = "base" },
        _ => new() { ["name"] = name },
    };

    /// <summary>One that may be deleted.</summary>
    private static JsonObject Ending(string kind, string name)
    {
        var item = Item(kind, name);
        if (kind == "apis")
        {
            item["lifecycle"] = new JsonObject { ["state"] = "retired" };
        }

        return item;
    }

    private static JsonObject Changed(string kind, string name)
    {
        var item = Item(kind, name);
        switch (kind)
        {
            case "backends": item["service"] = $"{name}-moved"; break;
            case "apis": item["operations"]!.AsArray().Add("GET /more"); break;
            case "plans": item["priority"] = 2; break;
            case "applications": item["suspended"] = true; break;
        }

        return item;
    }

    private static string NameOf(string kind, string name) => kind switch { "apis" => $"{name}/v1", "applications" => $"base/{name}", _ => name };
}
