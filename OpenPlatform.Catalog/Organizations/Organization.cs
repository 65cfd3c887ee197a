using System.ComponentModel.DataAnnotations;
using System.Text.Json.Serialization;
using OpenPlatform.Catalog.Problems;
using OpenPlatform.Catalog.Resources;

namespace OpenPlatform.Catalog.Organizations;

/// <summary>A partner; owns applications.</summary>
public sealed record Organization(Guid Id, string Name, DateTimeOffset CreatedAt, [property: JsonIgnore] long Etag) : ICatalogResource;

/// <param name="Name">1 to 200 characters without a slash, unique.</param>
public sealed record OrganizationRequest([property: Required] string? Name)
{
    internal CatalogProblem? Check()
    {
        var check = new RequestCheck();
        check.DisplayName("/name", Name);
        if (Name?.Contains('/', StringComparison.Ordinal) == true)
        {
            check.Add("/name", "must not hold a slash: acme/shop is the application shop of acme");
        }

        return check.Problem;
    }
}
