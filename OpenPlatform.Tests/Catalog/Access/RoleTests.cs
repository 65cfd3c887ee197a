using System.Net;
using System.Text.RegularExpressions;
using OpenPlatform.Catalog.Security;
using OpenPlatform.Tests.Architecture;

namespace OpenPlatform.Tests.Catalog.Access;

/// <summary>A catalog with a token of every role.</summary>
public sealed class RolesFixture(Fixtures.SharedPostgres postgres) : IAsyncLifetime
{
    internal CatalogServer Catalog { get; private set; } = null!;

    internal Dictionary<Role, string> Tokens { get; } = [];

    internal IReadOnlyList<(string Method, string Path, Permission Needs)> Endpoints { get; private set; } = [];

    public async ValueTask InitializeAsync()
    {
        Catalog = new(await postgres.CreateDatabaseAsync());
        await Catalog.ReadyAsync();
        using var admin = Catalog.Operator();
        var organization = await admin.CreateAsync("organizations", new { name = "Partner" });
        foreach (var role in Enum.GetValues<Role>())
        {
            var name = char.ToLowerInvariant(role.ToString()[0]) + role.ToString()[1..];
            Tokens[role] = (await admin.TokenAsync(name, role == Role.Developer ? organization.Id() : null)).Token;
        }

        Endpoints = AccessCalls.Endpoints(Catalog);
    }

    public ValueTask DisposeAsync() => Catalog.DisposeAsync();
}

public sealed partial class RoleTests(RolesFixture fixture) : IClassFixture<RolesFixture>
{
    public static IEnumerable<TheoryDataRow<Role, Permission>> Cells() =>
        from role in Enum.GetValues<Role>() from permission in Enum.GetValues<Permission>() select new TheoryDataRow<Role, Permission>(role, permission);

    /// <summary>One cell of the matrix: every endpoint that needs the permission lets the role through, or answers 403 and does nothing.</summary>
    [Theory]
    [MemberData(nameof(Cells))]
    public async Task Every_endpoint_keeps_to_the_cell_of_the_matrix(Role role, Permission permission)
    {
        using var client = fixture.Catalog.With(fixture.Tokens[role]);
        foreach (var (method, path, _) in fixture.Endpoints.Where(endpoint => endpoint.Needs == permission))
        {
            // Nothing has this id: who is let through gets to know that, or that the body is empty.
            var target = Parameter().Replace(path, match => match.Value.Contains(":guid", StringComparison.Ordinal) ? Guid.Empty.ToString() : "1");
            using var response = await client.CallAsync(method, target);
            if (RoleMatrix.Allows([role], permission))
            {
                Assert.False(response.StatusCode is HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden or HttpStatusCode.InternalServerError, $"{method} {path}: {(int)response.StatusCode}");
            }
            else
            {
                await response.ProblemAsync(HttpStatusCode.Forbidden);
            }
        }
    }

    [Fact]
    public void The_documented_matrix_is_the_one_that_holds()
    {
        var roles = Enum.GetValues<Role>();
        var header = "| Permission | " + string.Join(" | ", roles.Select(Words)) + " | What it is |";

        var rows = Repository.Table("docs/roles.md", header);

        Assert.Equal(
            Enum.GetValues<Permission>().Select(permission => string.Join(" | ", [$"`{permission}`", .. roles.Select(role => RoleMatrix.Allows([role], permission) ? "✓" : "")])),
            rows.Select(static row => string.Join(" | ", row.Take(8))));

        static string Words(Role role) => Word().Replace(role.ToString(), static match => (match.Index == 0 ? "" : " ") + match.Value.ToLowerInvariant());
    }

    [GeneratedRegex(@"\{[^}]+\}", RegexOptions.NonBacktracking)]
    private static partial Regex Parameter();

    [GeneratedRegex("[A-Z]", RegexOptions.NonBacktracking)]
    private static partial Regex Word();
}
