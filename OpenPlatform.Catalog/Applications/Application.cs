using System.ComponentModel.DataAnnotations;
using System.Text.Json.Serialization;
using OpenPlatform.Catalog.Problems;
using OpenPlatform.Catalog.Resources;

namespace OpenPlatform.Catalog.Applications;

/// <summary>The calling program of a partner.</summary>
/// <param name="Suspended">True: gateways refuse it, whatever its subscriptions.</param>
public sealed record Application(
    Guid Id, Guid OrganizationId, string Name, bool Suspended, DateTimeOffset CreatedAt, [property: JsonIgnore] long Etag) : ICatalogResource;

/// <param name="Name">1 to 200 characters, unique in its organization.</param>
public sealed record ApplicationRequest([property: Required] Guid? OrganizationId, [property: Required] string? Name)
{
    internal CatalogProblem? Check()
    {
        var check = new RequestCheck();
        check.Id("/organizationId", OrganizationId);
        check.DisplayName("/name", Name);
        return check.Problem;
    }
}
