using System.Text.Json;
using OpenPlatform.Catalog.Problems;
using OpenPlatform.Catalog.Security;

namespace OpenPlatform.Catalog.Accounts;

/// <summary>Roles as the database and requests write them: <c>planManager</c>.</summary>
internal static class RoleNames
{
    public static string Of(Role role) => JsonNamingPolicy.CamelCase.ConvertName(role.ToString());

    public static string[] Of(IEnumerable<Role> roles) => [.. roles.Distinct().Order().Select(Of)];

    public static Role? RoleOrNull(string name) => Enum.GetValues<Role>().Cast<Role?>().FirstOrDefault(role => Of(role!.Value) == name);

    public static IReadOnlyList<Role> Roles(string[] names) => [.. names.Select(static name => RoleOrNull(name) ?? throw new InvalidOperationException($"There is no role {name}."))];

    /// <summary>A developer is of one organization and nothing else; nobody else is bound to one.</summary>
    public static void Check(IReadOnlyList<Role>? roles, Guid? organizationId, RequestCheck check)
    {
        if (roles is null or { Count: 0 })
        {
            check.Add("/roles", "is required: " + string.Join(", ", Of(Enum.GetValues<Role>())));
            return;
        }

        var isDeveloper = roles.Contains(Role.Developer);
        if (isDeveloper && roles.Distinct().Count() > 1)
        {
            check.Add("/roles", "developer goes with no other role");
        }

        if (isDeveloper && organizationId is null)
        {
            check.Add("/organizationId", "is required for a developer");
        }
        else if (!isDeveloper && organizationId is not null)
        {
            check.Add("/organizationId", "is for developers only");
        }
    }
}
